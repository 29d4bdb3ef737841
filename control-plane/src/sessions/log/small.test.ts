import { describe, expect, test } from 'vitest';
import { int4Array, int8Array, textArray, uuidArray } from './binary.ts';
import { eventJson } from './entry.ts';
import { faultOf } from './sqlstate.ts';
import { isKind, isPayload, storableRaw, withinDepth } from './validate.ts';

describe('faults', () => {
  const coded = (code: string) => Object.assign(new Error('x'), { code });
  test.each([
    ['08006', 'transient'],
    ['40001', 'transient'],
    ['40P01', 'transient'],
    ['53100', 'transient'],
    ['57P01', 'transient'],
    ['57P03', 'transient'],
    ['58030', 'transient'],
    ['55P03', 'transient'],
    ['25006', 'transient'],
    ['ECONNREFUSED', 'transient'],
    ['ECONNRESET', 'transient'],
    ['ENOENT', 'transient'],
    ['EPIPE', 'transient'],
    ['22P02', 'data'],
    ['22021', 'data'],
    ['54001', 'data'],
    ['23514', 'data'],
    ['23505', 'bug'],
    ['42P01', 'bug'],
  ])('%s is %s', (code, fault) => {
    expect(faultOf(coded(code))).toBe(fault);
  });
  test('the driver’s own words', () => {
    expect(faultOf(new Error('Connection terminated unexpectedly'))).toBe('transient');
    expect(faultOf(new Error('Query read timeout'))).toBe('transient');
    expect(faultOf(new TypeError('x is not a function'))).toBe('bug');
    expect(faultOf('text')).toBe('bug');
    expect(faultOf(null)).toBe('bug');
  });
});

test.each([
  ['message.delta', true],
  ['agent-session', true],
  ['Message', false],
  ['a..b', false],
  ['', false],
  ['a"b', false],
  ['x'.repeat(65), false],
])('kind %j: %s', (kind, good) => {
  expect(isKind(kind)).toBe(good);
});

test('payloads: an object, not too deep, no raw NUL', () => {
  expect(isPayload('{"a":"\\u0000"}')).toBe(true);
  expect(isPayload('{"a":"\0"}')).toBe(false);
  expect(isPayload('[]')).toBe(false);
  expect(isPayload('')).toBe(false);
  expect(isPayload(`{"a":"${'['.repeat(1000)}"}`)).toBe(true);
  expect(isPayload(`{"a":"\\"${'['.repeat(1000)}"}`)).toBe(true);
  expect(withinDepth('[[[]]]', 3)).toBe(true);
  expect(withinDepth('[[[]]]', 2)).toBe(false);
  expect(withinDepth('[[],[],[[]]]', 3)).toBe(true);
  expect(storableRaw('a\0b')).toBe('a\\u0000b');
});

test('an event is JSON with its payload verbatim', () => {
  const json = eventJson('s', 7, 1_700_000_000_123, 'tool', 't', '{"a" : 1e3}');
  expect(json).toContain('"payload":{"a" : 1e3}');
  expect(JSON.parse(json)).toEqual({
    sessionId: 's',
    seq: 7,
    at: '2023-11-14T22:13:20.123Z',
    kind: 'tool',
    turnId: 't',
    payload: { a: 1000 },
  });
  expect(JSON.parse(eventJson('s', 7, 0, 'tool', null, '{}'))).not.toHaveProperty('turnId');
});

describe('binary arrays', () => {
  test('an empty one has no dimension', () => {
    expect(int4Array([]).readInt32BE(0)).toBe(0);
    expect(int4Array([])).toHaveLength(12);
  });
  test('numbers beyond 32 bits, negative ones and nulls', () => {
    const values = [0, 1, -1, 2 ** 40 + 5, -(2 ** 40) - 5, null, Number.MAX_SAFE_INTEGER];
    const bytes = int8Array(values);
    const found: (number | null)[] = [];
    for (let at = 20; at < bytes.length;) {
      const length = bytes.readInt32BE(at);
      found.push(length < 0 ? null : Number(bytes.readBigInt64BE(at + 4)));
      at += 4 + Math.max(0, length);
    }
    expect(found).toEqual(values);
  });
  test('what is no UUID is refused here', () => {
    expect(() => uuidArray(['zz'])).toThrow(RangeError);
    expect(uuidArray([null, '01890000-0000-7000-8000-000000000001'])).toHaveLength(44);
  });
  test('text is counted in bytes', () => {
    const bytes = textArray(['é', null, '']);
    expect(bytes.readInt32BE(20)).toBe(2);
    expect(bytes.readInt32BE(26)).toBe(-1);
    expect(bytes.readInt32BE(30)).toBe(0);
  });
});

test('a connection that is refused heals, unless its name or password is wrong', () => {
  const fatal = (code: string) => Object.assign(new Error('x'), { code, severity: 'FATAL' });
  expect(faultOf(fatal('55000'))).toBe('transient');
  expect(faultOf(fatal('28P01'))).toBe('bug');
  expect(faultOf(fatal('3D000'))).toBe('bug');
});
