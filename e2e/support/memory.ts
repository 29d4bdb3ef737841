import { readFile } from 'node:fs/promises';

const mebibyte = 2 ** 20;
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024) / mebibyte;
}

export interface Watched {
  /** What each took at first, and at the most since. */
  readonly grown: Record<string, { before: number; most: number }>;
  stop(): void;
}

/** Looks at the memory of these processes ten times a second. */
export async function watchMemory(pids: Record<string, number>): Promise<Watched> {
  const grown: Watched['grown'] = {};
  for (const [name, pid] of Object.entries(pids)) {
    const before = Math.round(await residentMb(pid));
    grown[name] = { before, most: before };
  }
  const timer = setInterval(() => {
    for (const [name, pid] of Object.entries(pids))
      residentMb(pid).then(
        (now) => {
          const one = grown[name];
          if (one !== undefined) one.most = Math.max(one.most, Math.round(now));
        },
        () => undefined, // it ended: who watches it sees that elsewhere
      );
  }, 100);
  return { grown, stop: () => clearInterval(timer) };
}
