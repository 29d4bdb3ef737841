import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explain, summary } from './report.ts';
import { runChaos, type ChaosOptions } from './run.ts';
import { victims } from './schedule.ts';

/**
 * node e2e/chaos/main.ts --kills 60 --seed 1 --sessions 4 [--victims agent,runner] [--keep <folder>]
 *
 * Kills parts of the real system while people talk in it, and looks from outside whether anything was lost or doubled. One line of JSON on standard
 * output; on failure also the seed and the shortest history that shows it on standard error. `--keep`: a folder for all histories and for the logs of the programs.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    sessions: { type: 'string', default: '4' },
    victims: { type: 'string' },
    keep: { type: 'string' },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`chaos: --${name} must be a whole number above 0\n`);
  process.exit(2);
}
const only = values.victims?.split(',').map((name) => {
  const known = victims.find((victim) => victim === name);
  if (known !== undefined) return known;
  process.stderr.write(`chaos: --victims knows ${victims.join(', ')}\n`);
  process.exit(2);
});
const options: ChaosOptions = {
  kills: whole('kills', values.kills),
  seed: whole('seed', values.seed),
  sessions: whole('sessions', values.sessions),
  ...(only === undefined ? {} : { only }),
  ...(values.keep === undefined ? {} : { keep: values.keep }),
};
const report = await runChaos(options);
process.stdout.write(`${JSON.stringify(summary(options, report))}\n`);
if (values.keep !== undefined)
  writeFileSync(
    join(values.keep, 'histories.txt'),
    report.violations.map(({ what, history }) => [what, ...history, ''].join('\n')).join('\n'),
  );
if (report.violations.length > 0) {
  process.stderr.write(explain(options, report));
  process.exitCode = 1;
}
