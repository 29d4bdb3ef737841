import { expect, test } from 'vitest';
import { explain } from './chaos/report.ts';
import { runChaos } from './chaos/run.ts';

// The short form; the long one is `npm run chaos -- --kills 1000 --seed <n>`.
test.each([1, 2])(
  'seed %i: ten kills of anything at any moment: nothing is lost, nothing doubled, nothing left behind',
  async (seed) => {
    const options = { seed, kills: 10, sessions: 3, endMs: 60_000 };
    const report = await runChaos(options);
    expect(report.violations, explain(options, report)).toEqual([]);
    expect(report.tally.delivered).toBeGreaterThan(0);
    // A run without a kill proves nothing.
    expect(Object.values(report.killer.struck).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(4);
  },
);
