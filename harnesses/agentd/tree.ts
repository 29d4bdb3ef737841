import { readdirSync, readFileSync } from 'node:fs';

/** What /proc says of one process. */
export interface Proc {
  pid: number;
  parent: number;
  group: number;
  session: number;
  zombie: boolean;
  /** Value of BERTH_TREE in its environment. */
  mark: string | undefined;
}
export const markName = 'BERTH_TREE';

/**
 * Pure. Everything that belongs to the tree of `root`: its process group and session, all that descends from these, and all that
 * bears its mark with what descends from that. Never `spared` (agentd, the init, roots of other trees) nor what is below those.
 */
export function treeOf(
  root: number,
  tag: string,
  procs: readonly Proc[],
  spared: ReadonlySet<number>,
): number[] {
  const children = Map.groupBy(procs, (proc) => proc.parent);
  const found = new Set<number>();
  const add = (proc: Proc): void => {
    if (spared.has(proc.pid) || found.has(proc.pid)) return;
    found.add(proc.pid);
    for (const child of children.get(proc.pid) ?? []) add(child);
  };
  for (const proc of procs)
    if (proc.pid === root || proc.group === root || proc.session === root || proc.mark === tag)
      add(proc);
  return procs.filter((proc) => found.has(proc.pid) && !proc.zombie).map((proc) => proc.pid);
}

const readOr = (path: string, otherwise: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return otherwise; // it ended between the listing and the reading, or is not ours to read
  }
};

/** Reads /proc at once: a sandbox has few processes (9 took 0.07 ms). */
export function scanProcs(): Proc[] {
  const procs: Proc[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = parseStat(readOr(`/proc/${name}/stat`, ''));
    if (stat === null) continue;
    const mark = readOr(`/proc/${name}/environ`, '')
      .split('\0')
      .find((entry) => entry.startsWith(`${markName}=`))
      ?.slice(markName.length + 1);
    procs.push({ pid, mark, ...stat });
  }
  return procs;
}

/** Pure. The command in parentheses may hold spaces and parentheses itself. */
export function parseStat(
  text: string,
): Pick<Proc, 'parent' | 'group' | 'session' | 'zombie'> | null {
  const [state, parent, group, session] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || session === undefined) return null;
  return {
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    zombie: state === 'Z' || state === 'X',
  };
}

const roundsMax = 400;
const roundPauseMs = 5;

/** Kills until nothing of the tree is left: a process may fork while the list is read. Resolves with what would not die. */
export async function killTree(find: () => number[]): Promise<number[]> {
  let left = find();
  for (let round = 0; left.length > 0 && round < roundsMax; round++) {
    for (const pid of left) signal(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, round < 3 ? 0 : roundPauseMs));
    left = find();
  }
  return left;
}

/** False: there is no such process (any more). */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false; // ESRCH: gone, which is what was wanted
  }
}
