import { readdirSync, readFileSync, statSync } from 'node:fs';

/** A process of the host, safe against reuse of its number. */
export interface ProcId {
  readonly pid: number;
  /** Start time in ticks since boot. */
  readonly startTicks: string;
}

const read = (path: string): string | null => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null; // it ended
  }
};

const over = new Set(['ENOENT', 'ESRCH']);

/** State and start time; null: there is no such process, or only its zombie. Throws when that cannot be seen: one that is not seen has not ended. */
function startOf(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && over.has(String(error.code))) return null;
    throw error;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return fields[19] ?? null;
}

export function procId(pid: number): ProcId | null {
  const startTicks = startOf(pid);
  return startTicks === null ? null : { pid, startTicks };
}
export const isAlive = (proc: ProcId): boolean => startOf(proc.pid) === proc.startTicks;

/** It has a child: for bwrap's init, that the command inside was started. */
export function hasChild(pid: number): boolean {
  const children = read(`/proc/${String(pid)}/task/${String(pid)}/children`);
  if (children !== null) return children.trim() !== '';
  // A kernel without this file.
  return allPids().some((other) => {
    const stat = read(`/proc/${String(other)}/stat`);
    return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid);
  });
}

const allPids = (): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid));

/** All living processes of this real uid. Only for uids that belong to one sandbox. */
export function procsOfUid(uid: number): ProcId[] {
  const found: ProcId[] = [];
  for (const pid of allPids()) {
    const owner = /^Uid:\s+(\d+)/m.exec(read(`/proc/${String(pid)}/status`) ?? '')?.[1];
    const proc = owner === String(uid) ? procId(pid) : null;
    if (proc) found.push(proc);
  }
  return found;
}

/**
 * Whether somebody works under this uid, by the owners of /proc alone: a fifth of the time of reading what each process says of itself, at every start. One that
 * hides its owner (not dumpable) is not seen, so this is no way to find what must be killed.
 */
export const hasProcs = (uid: number): boolean =>
  allPids().some((pid) => statSync(`/proc/${String(pid)}`, { throwIfNoEntry: false })?.uid === uid);

/** All living processes that were started with this argument, or with this entry in their environment. */
export function procsWith(file: 'cmdline' | 'environ', entry: string): ProcId[] {
  const found: ProcId[] = [];
  for (const pid of allPids()) {
    if (
      !read(`/proc/${String(pid)}/${file}`)
        ?.split('\0')
        .includes(entry)
    )
      continue;
    const proc = procId(pid);
    if (proc) found.push(proc);
  }
  return found;
}

const pauseMs = 2;
/** Resolves false when the limit or the signal came first. */
export async function waitFor(
  condition: () => boolean,
  limitMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end || signal?.aborted) return false;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return true;
}

/** Kills what `find` finds, again and again until it finds nothing. Throws when something will not die. */
export async function killAll(find: () => ProcId[], limitMs = 10_000): Promise<void> {
  const gone = await waitFor(() => {
    const left = find();
    for (const proc of left) kill(proc);
    return left.length === 0;
  }, limitMs);
  if (!gone)
    throw new Error(
      `processes will not die: ${find()
        .map((proc) => proc.pid)
        .join(' ')}`,
    );
}
function kill(proc: ProcId): void {
  try {
    if (isAlive(proc)) process.kill(proc.pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
