import { describe, expect, test } from 'vitest';
import type { QueryTable } from '@berth/contract/routes';
import { cookieOf } from './auth.ts';
import { acceptable, fileTagOf, refuseCondition, versionOf, waitSecondsOf } from './conditions.ts';
import { createHosts } from './hosts.ts';
import { problemOf } from './refusals.ts';
import { waitAfter } from './sign-in-limit.ts';
import { parseQuery, pointerTo } from './validate.ts';

describe('hosts', () => {
  const local = createHosts({});
  const site = createHosts({ publicUrl: 'https://berth.example.com' });

  test.each([
    ['127.0.0.1:3000', true],
    ['localhost', true],
    ['LOCALHOST:1', true],
    ['[::1]:3000', true],
    ['127.1.2.3', true],
    ['berth.example.com', false],
    ['localhost.evil.com', false],
    ['127.0.0.1.evil.com', false],
    ['evil.com@127.0.0.1', false],
    ['127.0.0.1/evil', false],
    ['192.168.1.5:3000', false],
    ['', false],
    [undefined, false],
  ])('%s is ours on one machine: %s', (host, ours) => {
    expect(local.ours(host)).toBe(ours);
  });

  test('a public name is ours, and a number only for probes', () => {
    expect(site.ours('berth.example.com')).toBe(true);
    expect(site.ours('berth.example.com.')).toBe(false);
    expect(site.ours('10.1.2.3:3000')).toBe(false);
    expect(site.probe('10.1.2.3:3000')).toBe(true);
    expect(site.probe('evil.com')).toBe(false);
  });

  test.each([
    ['http://127.0.0.1:3000', '127.0.0.1:3000', true],
    ['http://127.0.0.1:3001', '127.0.0.1:3000', false],
    ['https://127.0.0.1:3000', '127.0.0.1:3000', false],
    ['http://localhost:3000', '127.0.0.1:3000', false],
    ['null', '127.0.0.1:3000', false],
    [undefined, '127.0.0.1:3000', false],
    ['http://evil.com', 'evil.com', false],
  ])('origin %s at host %s: %s', (origin, host, good) => {
    expect(local.origin(origin, host)).toBe(good);
  });

  test('behind a proxy the origin is the public one', () => {
    expect(site.origin('https://berth.example.com', 'berth.example.com')).toBe(true);
    expect(site.origin('https://evil.example.com', 'berth.example.com')).toBe(false);
    expect(site.baseUrl('127.0.0.1:3000')).toBe('https://berth.example.com/');
    expect(local.baseUrl('127.0.0.1:3000')).toBe('http://127.0.0.1:3000/');
  });
});

describe('query', () => {
  const table = {
    limit: { kind: 'int', min: 1, max: 200, default: 50, about: '' },
    flag: { kind: 'flag', about: '' },
    state: { kind: 'one-of', values: ['a', 'b'], about: '' },
    path: { kind: 'text', max: 5, required: true, about: '' },
  } as const satisfies QueryTable;
  const parse = (text: string) => parseQuery(table, new URLSearchParams(text));

  test('what fits comes out in its type, with defaults', () => {
    expect(parse('path=x')).toEqual({ limit: 50, path: 'x' });
    expect(parse('path=a%2Fb&limit=200&flag=false&state=b')).toEqual({
      limit: 200,
      path: 'a/b',
      flag: false,
      state: 'b',
    });
  });

  test.each([
    ['', '?path'],
    ['path=', '?path'],
    ['path=123456', '?path'],
    ['path=%00', '?path'],
    ['path=a&path=b', '?path'],
    ['path=a&limit=0', '?limit'],
    ['path=a&limit=201', '?limit'],
    ['path=a&limit=1e2', '?limit'],
    ['path=a&limit=-1', '?limit'],
    ['path=a&limit=', '?limit'],
    ['path=a&flag=yes', '?flag'],
    ['path=a&state=c', '?state'],
    ['path=a&__proto__=c', '?__proto__'],
    ['path=a&toString=c', '?toString'],
  ])('%j is refused at %s', (text, pointer) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-request',
        extra: { errors: [expect.objectContaining({ pointer })] },
      }),
    );
  });
});

test('pointers escape what RFC 6901 says', () => {
  expect(pointerTo(['env', 'a/b~c', 0])).toBe('/env/a~1b~0c/0');
  expect(pointerTo([])).toBe('');
});

test.each([
  ['"3"', 3],
  ['"0"', 0],
])('If-Match %s is version %s', (header, version) => {
  expect(versionOf(header)).toBe(version);
});
test.each([
  [undefined, 'precondition-required'],
  ['3', 'invalid-request'],
  ['*', 'invalid-request'],
  ['""', 'version-stale'],
  ['"x"', 'version-stale'],
  ['W/"3"', 'version-stale'],
  ['"99999999999"', 'version-stale'],
])('If-Match %s is %s', (header, code) => {
  expect(() => versionOf(header)).toThrow(expect.objectContaining({ code }));
});
test('a file’s tag is passed on as it is', () => {
  expect(fileTagOf(undefined)).toBeUndefined();
  expect(fileTagOf('"a-1"')).toBe('"a-1"');
  expect(fileTagOf('*')).toBe('*');
  expect(() => fileTagOf('a-1')).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  expect(() => refuseCondition('If-None-Match', '*')).toThrow(
    expect.objectContaining({ code: 'invalid-request' }),
  );
  expect(() => refuseCondition('If-None-Match', undefined)).not.toThrow();
});

test.each([
  [undefined, null],
  ['respond-async', null],
  ['wait=5', 5],
  ['respond-async, wait=10', 10],
  ['wait="7"', 7],
  ['wait=100000', 600],
  ['wait=x', null],
  ['await=5', null],
])('Prefer: %s waits %s', (header, seconds) => {
  expect(waitSecondsOf(header)).toBe(seconds);
});

test.each([
  [undefined, 'text/markdown'],
  ['*/*', 'text/markdown'],
  ['application/json', 'application/json'],
  ['application/json;q=0.5, text/*;q=0.4', 'application/json'],
  ['text/*, application/json;q=0.9', 'text/markdown'],
  ['image/png', 'text/markdown'],
  ['', 'text/markdown'],
])('Accept: %s gets %s', (header, type) => {
  expect(acceptable(header, ['text/markdown', 'application/json'])).toBe(type);
});

test.each([
  [undefined, undefined],
  ['a=b', undefined],
  ['a=b; berth_session=xyz', 'xyz'],
  ['berth_session=xyz; a=b', 'xyz'],
  ['not_berth_session=xyz', undefined],
])('the cookie of %j is %j', (header, value) => {
  expect(cookieOf(header)).toBe(value);
});

test.each([
  [{ since: 0, count: 20 }, 10_000, null],
  [{ since: 0, count: 21 }, 10_000, { retryAfterMs: 50_000 }],
  [{ since: 60_000, count: 1 }, 60_000, null],
])('after %j failed sign-ins, at %i: %j', (window, now, wait) => {
  expect(waitAfter(window, now)).toEqual(wait);
});

test.each([
  [{ code: 'ENOENT', syscall: 'connect' }, 'not-ready'], // the embedded server's socket, while it starts again
  [{ code: 'ECONNREFUSED', syscall: 'connect' }, 'not-ready'],
  [{ code: '57P03' }, 'not-ready'],
  [{ code: '53100' }, 'disk-full'],
  [{ code: 'P1001' }, 'not-ready'],
  [{ code: 'ENOENT', syscall: 'open' }, undefined],
  [{ code: '42601' }, undefined],
  [{ code: 'P2002' }, undefined],
])('%j of the database is %s', (fields, expected) => {
  expect(problemOf(Object.assign(new Error('of the driver'), fields))?.code).toBe(expected);
});
test.each([
  ['Connection terminated unexpectedly', 'not-ready'],
  ['Client has encountered a connection error and is not queryable', 'not-ready'],
  ['Cannot read properties of undefined', undefined],
])('%s: %s', (message, expected) => {
  expect(problemOf(new Error(message))?.code).toBe(expected);
});
