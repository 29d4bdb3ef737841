import type { FileEntry } from '@berth/contract';
import { expect, test } from 'vitest';
import { createFileFinder, findLimits, rank } from './find-files.ts';

/** A workspace from its paths, and how often each folder was listed. */
function workspace(...paths: string[]) {
  const listed: string[] = [];
  const time = { now: 0 };
  const list = async (folder: string): Promise<readonly FileEntry[]> => {
    listed.push(folder);
    const names = new Map<string, FileEntry['type']>();
    for (const path of paths) {
      if (!path.startsWith(folder)) continue;
      const [name = '', ...more] = path.slice(folder.length).split('/');
      names.set(name, more.length > 0 ? 'directory' : 'file');
    }
    if (names.size === 0) throw new Error('no such folder');
    return [...names].map(([name, type]) => ({ name, type, sizeBytes: 0, modifiedAt: '' }));
  };
  const find = createFileFinder({ list, clock: { now: () => time.now } });
  return { find, listed, time };
}
const shop = () =>
  workspace(
    'README.md',
    'src/refunds/policy.ts',
    'src/refunds/policy.test.ts',
    'src/http/errors.ts',
    'docs/policy.md',
    'node_modules/policy/index.js',
    '.git/HEAD',
  );

test('by a part of the name, wherever it lies; the beginning of a name and what lies high come first', async () => {
  expect(await shop().find('pol')).toEqual([
    'docs/policy.md',
    'src/refunds/policy.test.ts',
    'src/refunds/policy.ts',
  ]);
});
test('by a part of the path', async () => {
  expect(await shop().find('refunds/policy.ts')).toEqual(['src/refunds/policy.ts']);
});
test('nothing typed yet: what lies at the top, and nothing is walked through', async () => {
  const { find, listed } = shop();
  expect(await find('')).toEqual(['docs/', 'README.md', 'src/']);
  expect(listed).toEqual(['']);
});
test('a folder that is named: what lies in it, and only that is listed', async () => {
  const { find, listed } = shop();
  expect(await find('src/')).toEqual(['src/http/', 'src/refunds/']);
  expect(listed).toEqual(['src/']);
});
test('what was listed is kept for the next letters, and not for long', async () => {
  const { find, listed, time } = shop();
  await find('p');
  const once = listed.length;
  await find('po');
  expect(listed).toHaveLength(once);
  time.now += findLimits.keptMs + 1;
  await find('pol');
  expect(listed).toHaveLength(2 * once);
});
test('a sandbox that does not answer: the reason is thrown, and asked again next time', async () => {
  let fails = true;
  const find = createFileFinder({
    list: async () => {
      if (fails) throw new Error('asleep');
      return [{ name: 'a.ts', type: 'file', sizeBytes: 0, modifiedAt: '' }];
    },
    clock: { now: () => 0 },
  });
  await expect(find('a')).rejects.toThrow('asleep');
  fails = false;
  expect(await find('a')).toEqual(['a.ts']);
});
test('a workspace without end: it stops', async () => {
  const listed: string[] = [];
  const find = createFileFinder({
    list: async (folder) => {
      listed.push(folder);
      return ['a', 'b'].map((name) => ({ name, type: 'directory', sizeBytes: 0, modifiedAt: '' }));
    },
    clock: { now: () => 0 },
  });
  expect(await find('zzz')).toEqual([]);
  expect(listed.length).toBeLessThanOrEqual(findLimits.foldersMax + findLimits.atOnce);
});
test.each([
  ['src/policy.ts', 'policy.ts', 0],
  ['src/policy.ts', 'pol', 1],
  ['src/policy.ts', 'src/p', 2],
  ['src/policy.ts', 'licy', 3],
  ['src/policy.ts', 'rc/p', 4],
  ['src/policy.ts', 'xyz', null],
])('%s for %s: %s', (path, query, expected) => {
  expect(rank(path, query)).toBe(expected);
});
