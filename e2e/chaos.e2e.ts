import { expect, test } from 'vitest';
import { explain } from './chaos/report.ts';
import { runChaos, type ChaosOptions } from './chaos/run.ts';

// The short form, 60 kills; the long one is `npm run chaos -- --seeds 1-34 --kills 30`.
test.each<Pick<ChaosOptions, 'seed' | 'database'>>([
  { seed: 1, database: 'embedded' },
  { seed: 2, database: 'given' },
])(
  '$database database, seed $seed: thirty kills of anything at any moment: nothing is lost, nothing doubled, nothing left behind',
  async (which) => {
    const options: ChaosOptions = { ...which, kills: 30, sessions: 4, endMs: 60_000 };
    const report = await runChaos(options);
    expect(report.violations, explain(options, report)).toEqual([]);
    expect(report.tally.delivered).toBeGreaterThan(0);
    // A run without a kill proves nothing.
    expect(Object.values(report.killer.struck).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(20);
  },
);
