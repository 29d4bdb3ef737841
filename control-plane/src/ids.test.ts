import { expect, test } from 'vitest';
import { createIds } from './ids.ts';

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('ids sort as they were made: within a millisecond, more than fit into one, and when the clock is set back', () => {
  const clock = { ms: 1_800_000_000_000, now: () => clock.ms };
  const newId = createIds(clock);
  const made: string[] = [];
  const make = (count: number) => {
    for (let n = 0; n < count; n += 1) made.push(newId());
  };
  make(10_000);
  clock.ms += 1;
  make(10);
  clock.ms -= 3_600_000;
  make(10);
  clock.ms += 7_200_000;
  make(1);
  expect(made).toEqual([...made].sort());
  expect(new Set(made).size).toBe(made.length);
  for (const id of made) expect(id).toMatch(form);
  // The time in it is the clock's, unless that would break the order.
  const timeOf = (id: string | undefined) =>
    Number.parseInt((id ?? '').replaceAll('-', '').slice(0, 12), 16);
  expect(timeOf(made[0])).toBe(1_800_000_000_000);
  expect(timeOf(made.at(-1))).toBe(clock.ms);
});

test('two processes in one millisecond make different ids', () => {
  const clock = { now: () => 0 };
  const both = [createIds(clock), createIds(clock)].flatMap((newId) =>
    Array.from({ length: 3000 }, newId),
  );
  expect(new Set(both).size).toBe(both.length);
});
