import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HintQueue, isHint, pack, unpack } from './hint-queue.ts';

test('the last hint of a key wins, and one channel knows nothing of another', () => {
  const queue = new HintQueue(10);
  queue.add('log', 's1', 's1:1');
  queue.add('log', 's2', 's2:7');
  queue.add('log', 's1', 's1:2');
  queue.add('turns', 's1', 's1');
  expect(queue.take()).toEqual([
    { channel: 'log', payload: 's1:2\ns2:7' },
    { channel: 'turns', payload: 's1' },
  ]);
  expect(queue.take()).toEqual([]);
});

test('a full queue refuses further keys, not further positions of known ones', () => {
  const queue = new HintQueue(1);
  expect(queue.add('log', 'a', 'a:1')).toBe(true);
  expect(queue.add('log', 'b', 'b:1')).toBe(false);
  expect(queue.add('log', 'a', 'a:2')).toBe(true);
  expect(queue.take()).toEqual([{ channel: 'log', payload: 'a:2' }]);
  expect(queue.add('log', 'b', 'b:2')).toBe(true);
});

test('packing keeps every hint, in order, in payloads that NOTIFY takes', () => {
  const hint = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }).filter(isHint);
  fc.assert(
    fc.property(fc.array(hint, { maxLength: 300 }), (hints) => {
      const payloads = pack(hints);
      expect(payloads.flatMap(unpack)).toEqual(hints);
      expect(payloads.every((payload) => Buffer.byteLength(payload) < 8_000)).toBe(true);
    }),
  );
});

test.each([
  ['', false],
  ['a\nb', false],
  ['x'.repeat(7_900), false],
  ['x'.repeat(7_899), true],
])('isHint %#', (hint, expected) => {
  expect(isHint(hint)).toBe(expected);
});
