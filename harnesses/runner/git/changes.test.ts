import { expect, test } from 'vitest';
import { cloneProgress, parseDiff } from './changes.ts';

test('raw and numstat records, with renames, binaries and odd names', () => {
  const text = [
    ':100644 100644 aaa bbb M',
    'a b.txt',
    ':000000 100644 000 ccc A',
    'new\nline',
    ':100644 000000 ddd 000 D',
    'gone',
    ':100644 100644 eee fff R090',
    'old',
    'moved',
    ':100644 100644 111 222 M',
    'x.bin',
    '3\t1\ta b.txt',
    '5\t0\tnew\nline',
    '0\t7\tgone',
    '1\t1\t',
    'old',
    'moved',
    '-\t-\tx.bin',
    '',
  ].join('\0');
  expect(parseDiff(text)).toEqual([
    { path: 'a b.txt', status: 'modified', added: 3, deleted: 1 },
    { path: 'new\nline', status: 'added', added: 5, deleted: 0 },
    { path: 'gone', status: 'deleted', added: 0, deleted: 7 },
    { path: 'moved', from: 'old', status: 'renamed', added: 1, deleted: 1 },
    { path: 'x.bin', status: 'modified', added: 0, deleted: 0, binary: true },
  ]);
  expect(parseDiff('')).toEqual([]);
});

test('how far a clone is', () => {
  expect(cloneProgress('Receiving objects:  45% (9/20), 1.2 MiB')).toEqual({
    detail: 'Receiving objects',
    done: 45,
  });
  expect(cloneProgress('remote: Counting objects: 100% (5/5), done.')).toEqual({
    detail: 'Counting objects',
    done: 100,
  });
  expect(cloneProgress('fatal: no such host')).toBeNull();
});
