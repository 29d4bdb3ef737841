import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '@berth/contract';
import { expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { createHarnesses } from './harnesses.ts';
import { parseRecord, readRecords } from './harness-records.ts';
import { explain, notDelivered } from './install.ts';

const shipped = join(import.meta.dirname, '../../../harnesses');

test('every harness that ships has a record that holds', () => {
  const { found, broken } = readRecords(shipped);
  expect(broken).toEqual([]);
  expect([...found.keys()]).toEqual(expect.arrayContaining(['codex', 'opencode', 'rehearsal']));
});

test.each([
  ['{', /JSON/],
  ['{"id":"x"}', /title: /],
  ['[]', /the record: /],
])('a broken record says where: %s', (json, says) => {
  expect(parseRecord('x', json)).toMatch(says);
});

test('a broken record is one error line, and the others live', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-harnesses-'));
  try {
    await mkdir(join(dir, 'bad'));
    await writeFile(join(dir, 'bad', 'harness.json'), '{"id":"bad"}');
    await mkdir(join(dir, 'no-record'));
    const errors: unknown[] = [];
    const harnesses = createHarnesses({
      harnessesDir: dir,
      dataDir: dir,
      distDir: dir,
      nodeDir: dir,
      clock: systemClock,
      logger: { info: () => undefined, error: (fields: unknown) => errors.push(fields) },
    });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ path: join(dir, 'bad', 'harness.json') });
    expect(await harnesses.list()).toEqual([]);
    expect(() => harnesses.record('bad')).toThrow(Problem);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('the catalogue tells what a person chooses by', async () => {
  const harnesses = createHarnesses({
    harnessesDir: shipped,
    dataDir: '/nowhere',
    distDir: '/nowhere',
    nodeDir: '/nowhere',
    clock: systemClock,
    logger: { info: () => undefined, error: () => undefined },
  });
  const list = await harnesses.list();
  expect(list.find(({ id }) => id === 'rehearsal')).toEqual({
    id: 'rehearsal',
    title: 'Rehearsal',
    version: '1.0.0',
    installed: false,
    needsModel: false,
    modes: ['ask', 'auto'],
    terminal: 'handover',
  });
  expect(list.find(({ id }) => id === 'opencode')).toMatchObject({
    needsModel: true,
    terminal: 'attach',
  });
  await expect(
    harnesses.prepare('rehearsal', async () => undefined, new AbortController().signal),
  ).rejects.toThrow('npm run build');
});

test.each([
  ['npm error code ENOTFOUND\nnpm error x', 'cannot be reached'],
  ['npm error code EINTEGRITY\n', 'integrity'],
  ['npm error code ENOSPC\n', 'disk is full'],
  ['npm error code E403\n', 'refused us (E403)'],
  ['npm error code E404\n', 'does not have a package of it'],
  [
    'npm error code ETARGET\nnpm error notarget No matching version found for @a/b@1.2.3.\n',
    'does not have @a/b@1.2.3. It was withdrawn',
  ],
  ["npm error code E404\nnpm error 404  'b@1.2.3' is not in this registry.\n", 'have b@1.2.3.'],
  [
    'npm error code E404\nnpm error 404 Not Found - GET http://r/b/-/b-1.2.3.tgz - not found\n',
    'have b-1.2.3.',
  ],
  ['npm error code SELF_SIGNED_CERT_IN_CHAIN\nnpm error errno SELF…', 'does not trust'],
  ['npm error code UNABLE_TO_VERIFY_LEAF_SIGNATURE\n', 'NODE_EXTRA_CA_CERTS'],
  ['npm error code EWHAT\nnpm error the thing broke\n', 'npm failed: the thing broke'],
  ['', 'npm failed.'],
])('npm %j becomes one sentence', (output, says) => {
  const sentence = explain('Thing 1.0', output);
  expect(sentence).toContain(says);
  expect(sentence).toMatch(/^Thing 1\.0 was not installed: [^\n]+\.$/);
});

test.each([
  ['linux', 'x64', ['thing-linux-x64', 'thing-not-windows']],
  ['linux', 'arm64', ['thing-not-windows']],
  ['win32', 'x64', []],
])('on %s %s these must have come: %j', (platform, arch, names) => {
  const lock = JSON.stringify({
    packages: {
      '': { name: 'harness' },
      'node_modules/any': {},
      'node_modules/thing-linux-x64': { os: ['linux'], cpu: ['x64'] },
      'node_modules/thing-linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
      'node_modules/any/node_modules/thing-not-windows': { os: ['!win32'] },
    },
  });
  expect(notDelivered(lock, () => false, platform, arch)).toEqual(names);
  expect(notDelivered(lock, () => true, platform, arch)).toEqual([]);
});
