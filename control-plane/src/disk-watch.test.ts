import { expect, test, vi } from 'vitest';
import { diskProblem, watchDisk } from './disk-watch.ts';

test('the first full disk is named, by the folder that it holds', () => {
  expect(
    diskProblem(
      new Map([
        ['/a', 1e9],
        ['/b', 4096],
      ]),
    ),
  ).toMatch(/^The disk that holds \/b is full\./);
  expect(diskProblem(new Map([['/a', 1e9]]))).toBeUndefined();
  expect(diskProblem(new Map())).toBeUndefined();
});

test('said once when it fills, once when there is room, and a folder that is gone is no disk', async () => {
  const told: string[] = [];
  const free = { '/a': 1e9 } as Record<string, number>;
  const nothing = () => undefined;
  await using watch = watchDisk({
    folders: ['/a', '/gone'],
    logger: { error: nothing, info: nothing, warn: nothing },
    tell: async (code) => {
      told.push(code);
    },
    freeBytes: async (folder) => {
      const bytes = free[folder];
      if (bytes === undefined) throw new Error('ENOENT');
      return bytes;
    },
    everyMs: 2,
  });
  const until = (check: () => void) => vi.waitFor(check, { interval: 2 });
  free['/a'] = 0;
  await until(() => expect(told).toEqual(['disk-full']));
  expect(watch.problem).toContain('/a');
  free['/a'] = 1e9;
  await until(() => expect(told).toEqual(['disk-full', 'disk-free']));
  expect(watch.problem).toBeUndefined();
});
