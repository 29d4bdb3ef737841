import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100; // what every Linux says to user space
const pageKb = 4;

/** What /proc says of one process. */
export function cpuOf(pid: number): { cpuMs: number; rssMb: number } {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0] = fields.slice(11, 13);
  return {
    cpuMs: ((user + system) * 1000) / ticksPerSecond,
    rssMb: ((fields[21] ?? 0) * pageKb) / 1024,
  };
}

/** Proportional set size: what is shared counts for each sharer's part. */
export function pssMbOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'latin1');
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
  } catch {
    return 0; // it ended
  }
}

export interface Proc {
  pid: number;
  parent: number;
  uid: number;
  command: string;
}
export function processes(): Proc[] {
  const found: Proc[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'latin1');
      const field = (key: string): number =>
        Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ');
      found.push({ pid, parent: field('PPid'), uid: field('Uid'), command });
    } catch {
      continue; // it ended
    }
  }
  return found;
}
