import { expect, test } from 'vitest';
import { tableOf, together, type Kept } from './many.ts';

const run = (seed: number, violations: readonly string[] = []): Kept => ({
  seed,
  seconds: 10,
  tally: { delivered: 2 },
  struck: { runner: 1, postgres: 2 },
  missed: {},
  recoveries: [
    { victim: 'postgres', sinceKillMs: 1000 * seed, sinceUpMs: 200 },
    { victim: 'runner', sinceKillMs: 500 },
  ],
  ownStartMs: [400],
  violations,
});

test('several runs are told as one; one that was wrong, or left no report, makes all of it wrong', () => {
  expect(together([run(1), run(2)], [1, 2])).toMatchObject({ ok: true, kills: 6, delivered: 4 });
  expect(together([run(1), run(2, ['lost'])], [1, 2])).toMatchObject({
    ok: false,
    violations: ['seed 2: lost'],
  });
  expect(together([run(1)], [1, 2])).toMatchObject({
    ok: false,
    violations: ['seed 2: ended without a report'],
  });
});

test('the table has each victim with how long it took', () => {
  const lines = tableOf([run(1), run(2)]).split('\n');
  expect(lines).toContain('| postgres | 4 | 2 | 2.00 / 2.00 s | 0.20 / 0.20 s |');
  expect(lines).toContain('| runner | 2 | 2 | 0.50 / 0.50 s |  |');
  expect(lines.join()).toContain('0.40 / 0.40 s (p50 / p99)');
});
