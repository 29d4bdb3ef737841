import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readKept, runMany, tableOf, together } from './many.ts';
import { explain, kept, summary } from './report.ts';
import { runChaos, type ChaosOptions } from './run.ts';
import { victims } from './schedule.ts';

/**
 * npm run chaos -- [--kills 60] [--seed 1 | --seeds 1-20 [--parallel 2]] [--sessions 4] [--agents rehearsal,opencode,codex,claude-code,gemini] [--victims agent,runner] [--database embedded|given] [--keep <folder>]
 *
 * Kills parts of the real system while people talk in it, and looks from outside whether anything was lost or doubled. One line of JSON on standard
 * output; on failure also the seed and the shortest history that shows it on standard error. `--keep`: a folder for all histories and for the logs of the
 * programs. `--seeds`: several runs, each with so many kills, added up; the table of recoveries follows on standard error, and the folders of runs that failed
 * are kept. `--sum <folder>`: adds up what runs with `--keep` left below it. `--database`: when it is not said, an odd seed has Berth's own and an even one a given one.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    sum: { type: 'string' },
    parallel: { type: 'string', default: '1' },
    sessions: { type: 'string', default: '4' },
    victims: { type: 'string' },
    agents: { type: 'string', default: 'rehearsal' },
    database: { type: 'string' },
    keep: { type: 'string' },
  },
});

function wrong(text: string): never {
  process.stderr.write(`chaos: ${text}\n`);
  process.exit(2);
}
function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  return wrong(`--${name} must be a whole number above 0`);
}
const only = values.victims
  ?.split(',')
  .map(
    (name) =>
      victims.find((victim) => victim === name) ?? wrong(`--victims knows ${victims.join(', ')}`),
  );
const seed = whole('seed', values.seed);
const database = values.database ?? (seed % 2 === 0 ? 'given' : 'embedded');
if (database !== 'embedded' && database !== 'given') wrong('--database is embedded or given');
const options: ChaosOptions = {
  database,
  agents: values.agents.split(','),
  kills: whole('kills', values.kills),
  seed,
  sessions: whole('sessions', values.sessions),
  ...(only === undefined ? {} : { only }),
  ...(values.keep === undefined ? {} : { keep: values.keep }),
};

async function one(): Promise<boolean> {
  const report = await runChaos(options);
  process.stdout.write(`${JSON.stringify(summary(options, report))}\n`);
  if (values.keep !== undefined) {
    mkdirSync(values.keep, { recursive: true });
    writeFileSync(join(values.keep, 'report.json'), JSON.stringify(kept(options, report)));
    const lines = report.moments.map(
      ({ atMs, session, what }) => `${(atMs / 1000).toFixed(3)} ${String(session ?? '-')} ${what}`,
    );
    writeFileSync(join(values.keep, 'timeline.txt'), lines.join('\n'));
    writeFileSync(
      join(values.keep, 'histories.txt'),
      report.violations.map(({ what, history }) => [what, ...history, ''].join('\n')).join('\n'),
    );
  }
  process.stderr.write(explain(options, report));
  return report.violations.length === 0;
}
/** A run that ended without its report counts as a failure. */
async function many(range: string): Promise<boolean> {
  const [first = 0, last = first] = range.split('-').map((text) => whole('seeds', text));
  const seeds = Array.from({ length: last - first + 1 }, (_none, at) => first + at);
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'berth-chaos-'));
  await runMany({
    seeds,
    parallel: whole('parallel', values.parallel),
    folder,
    args: [
      ...['--kills', values.kills, '--sessions', values.sessions, '--agents', values.agents],
      ...(values.database === undefined ? [] : ['--database', values.database]),
      ...(values.victims === undefined ? [] : ['--victims', values.victims]),
    ],
    told: (line) => process.stderr.write(`${line}\n`),
  });
  const right = await sum(folder, seeds);
  if (values.keep === undefined) {
    for (const seed of right)
      rmSync(join(folder, `seed-${String(seed)}`), { recursive: true, force: true });
    if (right.length === seeds.length) rmSync(folder, { recursive: true, force: true });
  }
  return right.length === seeds.length;
}
/** Tells all runs as one. Answers which were right. */
async function sum(folder: string, seeds?: readonly number[]): Promise<number[]> {
  const runs = await readKept(folder);
  process.stdout.write(`${JSON.stringify(together(runs, seeds))}\n`);
  process.stderr.write(`\n${tableOf(runs)}`);
  return runs.filter(({ violations }) => violations.length === 0).map(({ seed }) => seed);
}

if (values.sum !== undefined) await sum(values.sum);
else if (!(await (values.seeds === undefined ? one() : many(values.seeds)))) process.exitCode = 1;
