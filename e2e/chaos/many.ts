import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recovery } from './measure.ts';
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

/** Pure. All runs as one. `seeds`: what was to run; one without a report failed. */
export function together(
  runs: readonly Kept[],
  seeds: readonly number[] = runs.map(({ seed }) => seed),
): Record<string, unknown> {
  const silent = seeds.filter((wanted) => runs.every(({ seed }) => seed !== wanted));
  const struck = add(runs.map((run) => run.struck));
  const recovery = Object.groupBy(
    runs.flatMap((run) => run.recoveries),
    ({ victim }) => victim,
  );
  return {
    ok: silent.length === 0 && runs.every(({ violations }) => violations.length === 0),
    seeds,
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
    violations: [
      ...runs.flatMap(({ seed, violations }) =>
        violations.map((what) => `seed ${String(seed)}: ${what}`),
      ),
      ...silent.map((seed) => `seed ${String(seed)}: ended without a report`),
    ],
  };
}

const seconds = (ms: unknown): string => (Number(ms) / 1000).toFixed(2);

/** Pure. For a page: what was struck, and how long it took until the session went on. */
export function tableOf(runs: readonly Kept[]): string {
  const struck = add(runs.map((run) => run.struck));
  const of = (name: string): readonly Recovery[] =>
    runs.flatMap(({ recoveries }) => recoveries.filter(({ victim }) => victim === name));
  const both = (values: readonly number[]): string => {
    if (values.length === 0) return '';
    const { p50, p99 } = times(values);
    return `${seconds(p50)} / ${seconds(p99)} s`;
  };
  const rows = Object.entries(struck)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => {
      const all = of(name);
      const up = all.flatMap(({ sinceUpMs }) => (sinceUpMs === undefined ? [] : [sinceUpMs]));
      const since = both(all.map(({ sinceKillMs }) => sinceKillMs));
      return `| ${[name, count, all.length, since, both(up)].join(' | ')} |`;
    });
  const own = both(runs.flatMap(({ ownStartMs }) => ownStartMs));
  return [
    '| victim | kills | measured | kill → next event, p50 / p99 | there again → next event, p50 / p99 |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `The agent's own start and load, bare and in the same runs: ${own} (p50 / p99).`,
    '',
  ].join('\n');
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

/** One that takes longer is ended: it hangs, and with it would all that come after. */
const runMostMs = 30 * 60_000;

/** Each seed in a process of its own, some beside each other. Everything that they leave is below `folder`; what one does never stops the others. */
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
        { stdio: ['ignore', 'ignore', 'pipe'], timeout: runMostMs, killSignal: 'SIGKILL' },
      );
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const status = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      options.told(
        status === 0
          ? `seed ${String(seed)}: ok`
          : `seed ${String(seed)} failed (${String(status)}); its logs: ${keep}\n${said}`,
      );
    }
  }
  await Promise.all(Array.from({ length: options.parallel }, work));
}
