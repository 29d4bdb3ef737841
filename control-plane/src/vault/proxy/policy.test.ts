import fc from 'fast-check';
import { expect, test } from 'vitest';
import { covers, judge, normaliseHost } from './policy.ts';

const policy = {
  sessionId: 's',
  teamId: 't',
  tokenHash: '',
  allow: ['api.example.com', '*.github.com'],
};

test.each([
  ['Example.COM', 'example.com'],
  ['example.com.', 'example.com'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['127.0.0.1', null],
  ['2130706433', null], // decimal spelling of 127.0.0.1
  ['0x7f.1', null],
  ['[::1]', null],
  ['a b', null],
  ['user@example.com', null],
  ['example.com/x', null],
  ['', null],
  ['.', null],
  ['a..b', null],
  ['a'.repeat(254), null],
])('normaliseHost(%j) = %j', (text, name) => {
  expect(normaliseHost(text)).toBe(name);
});

test.each([
  ['api.example.com', 'api.example.com', true],
  ['api.example.com', 'x.api.example.com', false],
  ['*.github.com', 'api.github.com', true],
  ['*.github.com', 'a.b.github.com', true],
  ['*.github.com', 'github.com', false],
  ['*.github.com', 'evilgithub.com', false],
  ['API.example.com.', 'api.example.com', true],
])('covers(%j, %j) = %j', (entry, host, covered) => {
  expect(covers(entry, host)).toBe(covered);
});

test.each([
  ['api.example.com:443', 'allowed'],
  ['API.Example.com.:443', 'allowed'],
  ['api.example.com:80', 'port 80 is not open'],
  ['api.example.com', 'not a host name'],
  ['evil.test:443', 'evil.test is not on the egress list'],
  ['EVIL.test.:443', 'evil.test is not on the egress list'],
  ['127.0.0.1:443', 'not a host name'],
  ['[::ffff:127.0.0.1]:443', 'not a host name'],
  ['169.254.169.254:443', 'not a host name'],
])('judge %s: %s', (authority, outcome) => {
  const verdict = judge(policy, authority, new Set());
  expect(verdict.kind === 'allowed' ? 'allowed' : verdict.reason).toBe(outcome);
});

test('whatever is asked for, only listed hosts are allowed', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webAuthority(), fc.domain()), (authority) => {
      const verdict = judge(policy, `${authority}:443`, new Set());
      if (verdict.kind === 'allowed')
        expect(policy.allow.some((entry) => covers(entry, verdict.host))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
