import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { runnerPid, type Berth } from '../support/berth.ts';

/** The machine below the system: its processes and its folders, as an operator sees them. */
export interface Box {
  readonly sessionId: string;
  readonly folder: string;
  readonly uid: number | null;
  readonly cgroups: readonly string[];
  readonly init?: { pid: number };
}
const readOr = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
};
const commandOf = (pid: number): string[] => readOr(`/proc/${String(pid)}/cmdline`).split('\0');
const identity = (path: string): string => {
  const { ino, birthtimeMs } = statSync(path);
  return `${String(ino)} ${String(birthtimeMs)}`;
};
const parentOf = (pid: number): number => {
  const stat = readOr(`/proc/${String(pid)}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
};
const allPids = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

export function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
/** False: none of them is there. */
export function signalAll(pids: readonly number[], signal: 'SIGSTOP' | 'SIGCONT'): boolean {
  let any = false;
  for (const pid of pids)
    try {
      process.kill(pid, signal);
      any = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  return any;
}
/** Also false for one that has ended and that nobody has waited for. */
const isAlive = (pid: number): boolean => {
  const stat = readOr(`/proc/${String(pid)}/stat`);
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
};

/** Where the embedded server keeps its things. */
interface Cluster {
  readonly data: string;
  readonly run: string;
  readonly secret: string;
}
/** By the process that the control plane last named: the folder may lie elsewhere than its own data. */
function clusterOf(log: string): Cluster {
  const pid = [...log.matchAll(/"pid":(\d+),[^\n]*"PostgreSQL is up"/g)].at(-1)?.[1];
  const command = commandOf(Number(pid));
  const data = command[command.indexOf('-D') + 1];
  if (pid === undefined || data === undefined) throw new Error('no PostgreSQL in the log');
  const home = dirname(data);
  return { data, run: join(home, 'run'), secret: join(dirname(home), 'pg.secret') };
}

export function createWorld({ dataDir, log }: Pick<Berth, 'dataDir' | 'log'>) {
  const cluster = clusterOf(log());
  const records = join(dataDir, 'sandboxes');
  const folders = new Set<string>();
  const cgroups = new Set<string>();
  /** Each claim of a host uid with what tells it from a later one of the same number, which another Berth may hold. */
  const claims = new Map<string, string>();

  function box(sessionId: string): Box | undefined {
    const text = readOr(join(records, `${sessionId}.json`));
    if (text === '') return undefined;
    const found = JSON.parse(text) as Box;
    folders.add(found.folder);
    for (const cgroup of found.cgroups) cgroups.add(cgroup);
    const claim = `/var/lib/berth/uids/${String(found.uid)}`;
    if (found.uid !== null && existsSync(claim)) claims.set(claim, identity(claim));
    return found;
  }
  /** A process belongs to a sandbox when the sandbox's folder is mounted where it lives. */
  const inside = (folder: string): number[] =>
    allPids().filter((pid) => readOr(`/proc/${String(pid)}/mountinfo`).includes(folder));

  /** Of the embedded server: it says whose process it is, and in its last line whether it accepts connections. */
  const postmasterFile = (): string => readOr(join(cluster.data, 'postmaster.pid'));
  const postmaster = (): number => Number.parseInt(postmasterFile(), 10);

  const victims = {
    /** The agent's main process; `whole`: with all that it started. */
    agent(sessionId: string, whole: boolean): number[] {
      const found = box(sessionId);
      if (found === undefined) return [];
      const all = inside(found.folder).map((pid) => ({
        pid,
        tree: /BERTH_TREE=(agent[^\0]*)/.exec(environ(pid))?.[1],
      }));
      const tree = new Set(all.filter((one) => one.tree !== undefined).map(({ pid }) => pid));
      return [...tree].filter((pid) => whole || !tree.has(parentOf(pid)));
    },
    /** agentd, or the first process of the sandbox, which takes everything in it along. */
    sandbox(sessionId: string, which: 'agentd' | 'init'): number[] {
      const found = box(sessionId);
      if (found === undefined) return [];
      if (which === 'init' && found.init !== undefined && isAlive(found.init.pid))
        return [found.init.pid];
      return inside(found.folder).filter((pid) =>
        commandOf(pid).some((part) => part.endsWith('agentd.cjs')),
      );
    },
    runner: async (): Promise<number[]> => {
      const pid = await runnerPid(dataDir);
      return pid !== undefined && isAlive(pid) ? [pid] : [];
    },
    postgres: (): number[] => (isAlive(postmaster()) ? [postmaster()] : []),
    /** With everyone who works for it. */
    postgresWhole(): number[] {
      const parent = postmaster();
      return isAlive(parent)
        ? [parent, ...allPids().filter((pid) => parentOf(pid) === parent)]
        : [];
    },
  };
  const environ = (pid: number): string => readOr(`/proc/${String(pid)}/environ`);

  /** Another server than this one accepts connections. */
  const postgresReady = (before: number | undefined): boolean =>
    postmaster() !== before && isAlive(postmaster()) && postmasterFile().includes('ready');

  /** What the agent wrote down itself, without asking it. */
  function diaryOnDisk(sessionId: string): string[] {
    const found = box(sessionId);
    if (found === undefined) return [];
    return readOr(join(found.folder, 'h', '.rehearsal', 'diary.jsonl'))
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => (JSON.parse(line) as { sha256: string }).sha256);
  }

  /** Everything that is left of sessions when all of them were removed: nothing may be. */
  async function leftovers(): Promise<string[]> {
    const left: string[] = [];
    for (const folder of folders) {
      if (existsSync(folder)) left.push(`folder ${folder}`);
      for (const pid of inside(folder))
        if (isAlive(pid)) left.push(`process ${String(pid)} ${commandOf(pid).join(' ')}`);
    }
    for (const name of existsSync(records) ? readdirSync(records) : [])
      left.push(`record sandboxes/${name}`);
    const journals = join(dataDir, 'runner', 'sessions');
    for (const name of existsSync(journals) ? readdirSync(journals) : [])
      left.push(`journal runner/sessions/${name}`);
    for (const cgroup of cgroups) if (existsSync(cgroup)) left.push(`cgroup ${cgroup}`);
    for (const [claim, was] of claims)
      if (existsSync(claim) && identity(claim) === was) left.push(`uid ${claim}`);
    left.push(...(await sql(rowsLeft)));
    return left;
  }
  /** As the operator, beside the system. */
  async function sql<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      host: cluster.run,
      port: 5432,
      user: 'berth',
      database: 'berth',
      password: (await readFile(cluster.secret, 'utf8')).trim(),
    });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
  /** Processes that were started for this data directory and outlived it. */
  const stragglers = (): string[] =>
    allPids()
      .filter((pid) => isAlive(pid) && commandOf(pid).some((part) => part.startsWith(dataDir)))
      .map((pid) => `${String(pid)} ${commandOf(pid).join(' ').slice(0, 200)}`);

  return { box, victims, postgresReady, diaryOnDisk, leftovers, stragglers, sql };
}
export type World = ReturnType<typeof createWorld>;

const tables = [
  'session',
  'session_head',
  'session_event',
  'session_blob',
  'session_read',
  'turn',
  'approval',
  'terminal',
] as const;

/** Rows that belong to a session. */
async function rowsLeft(client: pg.Client): Promise<string[]> {
  const left: string[] = [];
  for (const table of tables) {
    const { rows } = await client.query<{ n: number }>(`select count(1)::int as n from ${table}`);
    const n = rows[0]?.n ?? 0;
    if (n > 0) left.push(`${String(n)} rows of ${table}`);
  }
  return left;
}
