import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ring } from './ring.ts';

const all = (ring: Ring): Buffer => {
  const parts: Buffer[] = [];
  for (let at = ring.from; at < ring.to;) {
    const part = Buffer.from(ring.read(at, 7000));
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
};

test('an empty ring holds nothing at offset 0', () => {
  const ring = new Ring(10);
  expect([ring.from, ring.to, ring.read(0, 5).length]).toEqual([0, 0, 0]);
});

test('an offset that is not held is a bug of the caller', () => {
  const ring = new Ring(4);
  ring.push(Buffer.from('abcdef'));
  expect(() => ring.read(1, 1)).toThrow('held by the ring');
  expect(() => ring.read(7, 1)).toThrow('held by the ring');
  expect(all(ring).toString()).toBe('cdef');
});

test('holds the end of everything that was pushed, at its offsets', () => {
  const chunks = fc.array(fc.nat({ max: 90_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70_000 }), chunks, (limit, sizes) => {
      const ring = new Ring(limit);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const source = Buffer.alloc(total);
      for (let i = 0; i + 4 <= total; i += 4) source.writeUInt32LE(i, i);
      let at = 0;
      for (const size of sizes) {
        ring.push(source.subarray(at, at + size));
        at += size;
        expect(ring.to).toBe(at);
        expect(ring.to - ring.from).toBe(Math.min(limit, at));
      }
      expect(all(ring).equals(source.subarray(ring.from))).toBe(true);
    }),
    { numRuns: 150 },
  );
});
