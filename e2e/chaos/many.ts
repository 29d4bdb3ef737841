import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recovery } from './killer.ts';
import { times, type Counts } from './report.ts';

/** What one run leaves in its folder. */
export interface Kept {
  readonly seed: number;
  readonly seconds: number;
  readonly tally: Counts;
  readonly struck: Counts;
  readonly missed: Counts;
  readonly recoveries: readonly Recovery[];
  readonly ownStartMs: readonly number[];
  readonly violations: readonly string[];
}

const add = (all: readonly Counts[]): Record<string, number> => {
  const sum: Record<string, number> = {};
  for (const counts of all)
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
};

/** Pure. All runs as one. */
export function together(runs: readonly Kept[]): Record<string, unknown> {
  const struck = add(runs.map((run) => run.struck));
  const recovery = Object.groupBy(
    runs.flatMap((run) => run.recoveries),
    ({ victim }) => victim,
  );
  return {
    ok: runs.every(({ violations }) => violations.length === 0),
    seeds: runs.map(({ seed }) => seed),
    kills: Object.values(struck).reduce((sum, n) => sum + n, 0),
    seconds: Math.round(runs.reduce((sum, { seconds }) => sum + seconds, 0)),
    ...add(runs.map((run) => run.tally)),
    struck,
    missed: add(runs.map((run) => run.missed)),
    recovery: Object.fromEntries(
      Object.entries(recovery).map(([victim, list = []]) => {
        const up = list.flatMap(({ sinceUpMs }) => (sinceUpMs === undefined ? [] : [sinceUpMs]));
        return [
          victim,
          {
            sinceKillMs: times(list.map((one) => one.sinceKillMs)),
            ...(up.length === 0 ? {} : { sinceUpMs: times(up) }),
          },
        ];
      }),
    ),
    ownStartMs: times(runs.flatMap((run) => run.ownStartMs)),
    violations: runs.flatMap(({ seed, violations }) =>
      violations.map((what) => `seed ${String(seed)}: ${what}`),
    ),
  };
}

/** What all runs below a folder left there. */
export async function readKept(folder: string): Promise<Kept[]> {
  const runs: Kept[] = [];
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name, 'report.json'), 'utf8').catch(() => null);
    if (text !== null) runs.push(JSON.parse(text) as Kept);
  }
  return runs.sort((a, b) => a.seed - b.seed);
}

/** Each seed in a process of its own, some beside each other. Everything that they leave is below `folder`. */
export async function runMany(options: {
  seeds: readonly number[];
  parallel: number;
  folder: string;
  /** For every run. */
  args: readonly string[];
  told: (line: string) => void;
}): Promise<void> {
  const left = [...options.seeds];
  async function work(): Promise<void> {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const keep = join(options.folder, `seed-${String(seed)}`);
      const child = spawn(
        process.execPath,
        [
          join(import.meta.dirname, 'main.ts'),
          ...['--seed', String(seed), '--keep', keep, ...options.args],
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const status = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      options.told(`seed ${String(seed)}: ${status === 0 ? 'ok' : `\n${said}`}`);
    }
  }
  await Promise.all(Array.from({ length: options.parallel }, work));
}
