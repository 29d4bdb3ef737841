import { expect, test } from 'vitest';
import { mismatches, type Mismatch } from './testing/cuts.ts';
import { createFuzz } from './testing/fuzz.ts';

/** Cuts; four of each stream. */
const cuts = Number(process.env['BERTH_SCREEN_FUZZ'] ?? 2000);
const kindOf = (difference: string): string => /^[^:[]+/.exec(difference)?.[0] ?? '';

/**
 * What no sequence brings back. Everything else is a fault of the writer. `most`: of 2,000 cuts, so that a class does not become a cover for
 * a new fault.
 */
const classes: readonly {
  name: string;
  most: number;
  covers: (mismatch: Mismatch, kinds: readonly string[], differences: readonly string[]) => boolean;
}[] = [
  {
    name: 'the writer says that it only came near',
    most: 30,
    covers: ({ approximations }) => approximations.length > 0,
  },
  {
    name: 'saved column behind the margin, or saved row above the screen',
    most: 10,
    covers: ({ now }) => now.length > 0 && now.every((one) => kindOf(one).endsWith(' saved')),
  },
  {
    name: 'how long a link lives: its marks are no sequences',
    most: 10,
    covers: (_mismatch, _kinds, differences) =>
      differences.some((one) => one.includes('about:blank')),
  },
  {
    name: 'tab stops at or beyond the margin, seen after widening',
    most: 10,
    covers: ({ now, later: [end = [], ...resized] }, kinds) =>
      now.length === 0 &&
      end.length === 0 &&
      resized.length > 0 &&
      kinds.some((kind) => kind.endsWith(' tabs')),
  },
  {
    name: 'a wide cell that no character makes: its second half inserted away, or a mark joined to a wide character that did not fit',
    most: 5,
    covers: (_mismatch, kinds, differences) =>
      kinds.every((kind) => kind.endsWith(' lines')) &&
      differences.every((one) => /: [^|]*\|2\|/u.test(one)),
  },
];

test('sequences in any order: what differs is known', { timeout: 300_000 }, () => {
  const next = createFuzz(1);
  const counted = new Map<string, number>();
  const unknown: string[] = [];
  for (let done = 0; done < cuts; done += 4) {
    const { seed, bytes, offsets, size, resize } = next();
    for (const one of mismatches({ bytes, offsets, size, resizes: [resize ? [resize] : []] })) {
      const differences = [...one.now, ...one.later.flat()];
      const kinds = differences.map(kindOf);
      const found = classes.find(({ covers }) => covers(one, kinds, differences));
      if (found) counted.set(found.name, (counted.get(found.name) ?? 0) + 1);
      else unknown.push(`seed ${seed} at ${one.at}: ${differences.slice(0, 3).join('; ')}`);
    }
  }
  expect(unknown).toEqual([]);
  for (const { name, most } of classes)
    expect(counted.get(name) ?? 0, name).toBeLessThanOrEqual((most * cuts) / 2000);
});
