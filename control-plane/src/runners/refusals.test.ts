import { expect, test } from 'vitest';
import { bearer, makeCredential, readCredential, sameHash } from './credential.ts';
import { runnerRefusal } from './refusals.ts';

test.each([
  ['not-found', 'not-found', 404],
  ['version-stale', 'version-stale', 412],
  ['not-a-file', 'invalid-request', 400],
  ['no-terminal', 'agent-has-no-terminal', 409],
  ['sandbox-away', 'sandbox-not-ready', 409],
  ['agentd-gone', 'sandbox-not-ready', 409],
  ['git-failed', 'sandbox-not-ready', 409],
  ['file-refused', 'file-refused', 409],
  ['disk-full', 'disk-full', 507],
])('%s is %s for the API', (said, code, status) => {
  const problem = runnerRefusal(said, 'why');
  expect(problem).toMatchObject({ code, status, detail: 'why' });
});

test('what nobody foresaw keeps its words for the log and shows none of them', () => {
  const problem = runnerRefusal('io', 'EIO /secret/path');
  expect(problem.code).toBe('internal-error');
  expect(problem.detail).not.toContain('secret');
  expect(String(problem.cause)).toContain('EIO /secret/path');
  expect(runnerRefusal('toString', 'x').code).toBe('internal-error');
});

test('a credential names its runner and proves it', () => {
  const runnerId = '0198c0de-0000-7000-8000-000000000001';
  const one = readCredential(makeCredential(runnerId, Buffer.alloc(32, 1)));
  const other = readCredential(makeCredential(runnerId, Buffer.alloc(32, 2)));
  expect(one?.runnerId).toBe(runnerId);
  expect(sameHash(one!.hash, one!.hash)).toBe(true);
  expect(sameHash(one!.hash, other!.hash)).toBe(false);
  for (const text of [
    '',
    'berthr_',
    `berthr_${runnerId}_short`,
    `x${makeCredential(runnerId, Buffer.alloc(32))}`,
  ])
    expect(readCredential(text)).toBeNull();
  expect(bearer('Bearer abc')).toBe('abc');
  for (const header of [undefined, '', 'Basic abc', 'Bearer a b'])
    expect(bearer(header)).toBeNull();
});
