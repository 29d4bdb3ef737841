import fc from 'fast-check';
import { expect, test } from 'vitest';
import { oncePerTurn } from '../../agentd/once-per-turn.ts';
import { onlyReplies } from './replies.ts';
import { Ring } from './ring.ts';

const esc = '\u001b';
test.each<[string, boolean]>([
  [`${esc}[?1;2c`, true],
  [`${esc}[>0;276;0c`, true],
  [`${esc}[0n`, true],
  [`${esc}[24;80R`, true],
  [`${esc}[1;2R`, false], // Shift+F3
  [`${esc}]11;rgb:1e1e/1e1e/1e1e${esc}\\`, true],
  [`${esc}[?1;2c${esc}[24;80R`, true],
  [`${esc}[?1;2cx`, false],
  [`${esc}[A`, false],
  [`${esc}[<0;1;1M`, false],
  ['c', false],
  [esc, false],
])('%j is an answer: %s', (text, answer) => {
  expect(onlyReplies(Buffer.from(text))).toBe(answer);
});

test('a ring has the last bytes, at their offsets', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 20 }),
      fc.nat(50),
      (chunks, start) => {
        const ring = new Ring(30, start);
        for (const chunk of chunks) ring.push(Buffer.from(chunk));
        const all = Buffer.concat(chunks);
        expect(ring.to).toBe(start + all.length);
        expect(ring.from).toBe(start + Math.max(0, all.length - 30));
        for (let at = ring.from; at <= ring.to; at++)
          for (const to of [at, at + 7, ring.to]) {
            const wanted = all.subarray(at - start, to - start);
            expect(ring.slice(at, to).equals(wanted)).toBe(true);
          }
      },
    ),
  );
});

test('work is done at once, then once for all that is asked in the same turn', () => {
  let done = 0;
  const ends: (() => void)[] = [];
  const busy: number[] = [];
  const ask = oncePerTurn(
    () => (done += 1),
    (end, turns) => {
      ends.push(end);
      busy.push(turns);
    },
  );
  const turn = (): void => ends.splice(0).forEach((end) => end());
  ask();
  expect(done).toBe(1);
  for (let more = 0; more < 10; more++) ask();
  expect(done).toBe(1);
  turn();
  expect(done).toBe(2);
  ask(); // still the flood
  expect(done).toBe(2);
  turn();
  turn();
  expect([done, ends.length]).toEqual([3, 0]);
  ask();
  expect(done).toBe(4);
  expect(busy).toEqual([0, 1, 2, 0]);
});
