import { expect, test } from 'vitest';
import { allowed, can, inScope } from './access.ts';
import { formatToken, parseToken, randomText, sameHash, hashOf } from './secrets.ts';

test('random text is fair over the alphabet and never shorter than asked', () => {
  const counts = new Map<string, number>();
  for (const letter of randomText(62_000)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  expect(counts.size).toBe(62);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(250);
  // A source that gives unfair bytes first is asked again.
  const bytes = [new Uint8Array([255, 250, 0]), new Uint8Array([61, 62, 1])];
  expect(randomText(3, () => bytes.shift() ?? new Uint8Array(3))).toBe('0z0');
});

test.each([
  ['', null],
  ['berth_0123456789_short', null],
  [`berth_0123456789_${'x'.repeat(33)}`, null],
  [`berth_012345678!_${'x'.repeat(32)}`, null],
  [` berth_0123456789_${'x'.repeat(32)}`, null],
  [`berth_0123456789_${'x'.repeat(32)}\n`, null],
  [formatToken('0123456789', 'x'.repeat(32)), { id: '0123456789', secret: 'x'.repeat(32) }],
])('%j as a token is %j', (text, parsed) => {
  expect(parseToken(text)).toEqual(parsed);
});

test('hashes are equal only when the secrets are', () => {
  expect(sameHash(hashOf('a'), hashOf('a'))).toBe(true);
  expect(sameHash(hashOf('a'), hashOf('b'))).toBe(false);
  expect(sameHash(hashOf('a'), new Uint8Array(3))).toBe(false);
});

test('a viewer reads, a member works, an admin changes agents', () => {
  expect(can('viewer', 'read')).toBe(true);
  expect(can('viewer', 'sessions')).toBe(false);
  expect(can('member', 'sessions')).toBe(true);
  expect(can('member', 'agents')).toBe(false);
  expect(can('admin', 'agents')).toBe(true);
});

test('scopes narrow and never widen', () => {
  expect(inScope(['sessions'], 'read')).toBe(true);
  expect(inScope([], 'read')).toBe(false);
  expect(inScope(['read'], 'sessions')).toBe(false);
  expect(allowed({ role: 'viewer', scopes: ['*'] }, 'sessions')).toBe(false);
  expect(allowed({ role: 'owner', scopes: ['read'] }, 'sessions')).toBe(false);
  expect(allowed({ role: 'owner', scopes: ['sessions'] }, 'sessions')).toBe(true);
});
