import { expect, test } from 'vitest';
import { linkUrls, reachableUrl } from './replica-calls.ts';

const replica = (url: string, ...roles: string[]) => ({ id: url, url, roles, facts: null });
const others = [
  replica('http://a', 'web'),
  replica('http://b', 'worker'),
  replica('http://c', 'web', 'vault'),
];

test.each([
  [[], 'http://me', ['http://me', 'http://a', 'http://c']],
  [[], undefined, ['http://a', 'http://c']],
  [['http://balancer'], 'http://me', ['http://balancer']],
])(
  'runners dial what is configured, else whoever takes links, ours first: %j %s',
  (configured, own, urls) => {
    expect(linkUrls({ configured, own, replicas: { others: () => others } })).toEqual(urls);
  },
);

test('an address that only this machine could dial is not told to others', () => {
  expect(reachableUrl('http://127.0.0.1:3000', '127.0.0.1')).toBe('http://127.0.0.1:3000');
  for (const host of ['0.0.0.0', '::']) {
    const told = new URL(reachableUrl('http://0.0.0.0:3000', host));
    expect(told.port).toBe('3000');
    // A machine without a network has no better one.
    expect(told.hostname).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(told.hostname).not.toMatch(/^127\./);
  }
});
