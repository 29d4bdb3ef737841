import fc from 'fast-check';
import { expect, test } from 'vitest';
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
        const got: Buffer[] = [];
        for (let at = ring.from; at < ring.to;) {
          const piece = ring.slice(at, ring.to);
          expect(piece.length).toBeGreaterThan(0);
          got.push(piece);
          at += piece.length;
        }
        expect(Buffer.concat(got).equals(all.subarray(ring.from - start))).toBe(true);
      },
    ),
  );
});
