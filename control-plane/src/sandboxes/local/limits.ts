import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SandboxLimits } from '../driver.ts';

const controllers = ['memory', 'pids', 'cpu'] as const;
type Controller = (typeof controllers)[number];
/** Where cgroups may be made here. */
export interface CgroupHost {
  v1: Partial<Record<Controller, string>>;
  v2?: string;
}

/** Pure. What /proc/self/mountinfo says about cgroups. */
export function cgroupHost(mountinfo: string): CgroupHost {
  const host: CgroupHost = { v1: {} };
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const mountPoint = left.split(' ')[4];
    const [type, , options = ''] = right.split(' ');
    if (mountPoint === undefined) continue;
    if (type === 'cgroup2') host.v2 = mountPoint;
    if (type !== 'cgroup') continue;
    for (const name of controllers)
      if (options.split(',').includes(name)) host.v1[name] = mountPoint;
  }
  return host;
}

interface Write {
  file: string;
  value: string;
  /** Not every kernel has it. */
  optional?: boolean;
}
const asked: Record<Controller, (limits: SandboxLimits) => boolean> = {
  memory: (limits) => limits.memoryBytes !== undefined,
  pids: (limits) => limits.pids !== undefined,
  cpu: (limits) => limits.cpus !== undefined,
};
const periodUs = 100_000;
const quota = (limits: SandboxLimits): string =>
  String(Math.max(1000, Math.round((limits.cpus ?? 1) * periodUs)));

/** Pure. The files of one controller, in the order in which they are written. */
export function cgroupWrites(version: 1 | 2, name: Controller, limits: SandboxLimits): Write[] {
  const bytes = String(limits.memoryBytes);
  switch (name) {
    case 'memory':
      return version === 1
        ? [
            { file: 'memory.limit_in_bytes', value: bytes },
            { file: 'memory.memsw.limit_in_bytes', value: bytes, optional: true },
          ]
        : [
            { file: 'memory.max', value: bytes },
            { file: 'memory.swap.max', value: '0', optional: true },
          ];
    case 'pids':
      return [{ file: 'pids.max', value: String(limits.pids) }];
    case 'cpu':
      return version === 1
        ? [
            { file: 'cpu.cfs_period_us', value: String(periodUs) },
            { file: 'cpu.cfs_quota_us', value: quota(limits) },
          ]
        : [{ file: 'cpu.max', value: `${quota(limits)} ${String(periodUs)}` }];
  }
}

/** Limits of one sandbox, as far as this machine has them. */
export interface Limited {
  /** The wrapper joins these before anything runs. */
  readonly cgroups: readonly string[];
  /** Set by the first process inside: counted per user namespace, so it holds for this sandbox alone. */
  readonly processes: number | undefined;
  readonly notes: readonly string[];
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
const put = (folder: string, { file, value, optional = false }: Write): void => {
  try {
    writeFileSync(path.join(folder, file), value);
  } catch (error) {
    if (!optional) throw error;
  }
};

/** Under a parent of our own: limits set here do not meddle with what the system made. */
const ours = 'berth';

/** Makes the cgroups of a sandbox. What cannot be had becomes a note for a person, never a failure. */
export function makeLimits(name: string, limits: SandboxLimits, host: CgroupHost): Limited {
  const cgroups: string[] = [];
  const notes: string[] = [];
  let processes: number | undefined;
  for (const controller of controllers) {
    if (!asked[controller](limits)) continue;
    const refusal = makeOne(controller, name, limits, host, cgroups);
    if (refusal === null) continue;
    if (controller === 'pids') {
      processes = limits.pids;
      continue; // the resource limit does the same
    }
    notes.push(
      controller === 'memory'
        ? `no memory limit: ${refusal}; Node's heap is still kept below it`
        : `no CPU limit: ${refusal}`,
    );
  }
  if (limits.diskBytes !== undefined)
    notes.push('no disk limit: the file system of this machine is shared by all sandboxes');
  return { cgroups, processes, notes };
}

/** Null when it holds, else why not. */
function makeOne(
  controller: Controller,
  name: string,
  limits: SandboxLimits,
  host: CgroupHost,
  cgroups: string[],
): string | null {
  const v1 = host.v1[controller];
  const base = v1 ?? host.v2;
  if (base === undefined) return 'this system has no cgroups';
  const folder = path.join(base, ours, name);
  try {
    if (v1 === undefined) offer(base, controller);
    mkdirSync(folder, { recursive: true });
    for (const write of cgroupWrites(v1 === undefined ? 2 : 1, controller, limits))
      put(folder, write);
    if (!cgroups.includes(folder)) cgroups.push(folder);
    return null;
  } catch (error) {
    if (!cgroups.includes(folder)) removeCgroup(folder);
    return codeOf(error) === 'ENOENT'
      ? `cgroups without the ${controller} controller`
      : `cgroups are not writable (${codeOf(error)})`;
  }
}
/** Version 2: a controller reaches a child only when each parent passes it on. */
function offer(base: string, controller: Controller): void {
  mkdirSync(path.join(base, ours), { recursive: true });
  for (const folder of [base, path.join(base, ours)])
    writeFileSync(path.join(folder, 'cgroup.subtree_control'), `+${controller}`);
}

function removeCgroup(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return codeOf(error) === 'ENOENT';
  }
}
/** The kernel lets go of a cgroup a moment after its last process. Resolves with those that stayed. */
export async function removeCgroups(folders: readonly string[]): Promise<string[]> {
  let left = [...folders];
  for (let tries = 0; left.length > 0 && tries < 100; tries++) {
    left = left.filter((folder) => !removeCgroup(folder));
    if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return left;
}

/** How often the kernel killed something in these cgroups for want of memory. */
export function memoryKills(cgroups: readonly string[]): number {
  let kills = 0;
  for (const folder of cgroups)
    for (const file of ['memory.oom_control', 'memory.events']) {
      try {
        const text = readFileSync(path.join(folder, file), 'latin1');
        kills += Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
      } catch {
        continue; // the other version's file, or another controller
      }
    }
  return kills;
}
