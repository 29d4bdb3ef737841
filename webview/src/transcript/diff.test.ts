import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffFile, diffLines } from './diff.ts';

const texts = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 30 })
  .map((lines) => lines.map((line) => `${line}\n`).join(''));

test('both texts can be read back from the difference, and line numbers are theirs', () => {
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const lines = diffLines(before, after);
      const side = (kind: 'plus' | 'minus') =>
        lines
          .filter((line) => line.kind === 'same' || line.kind === kind)
          .map((line) => `${line.text}\n`)
          .join('');
      expect(side('minus')).toBe(before);
      expect(side('plus')).toBe(after);
      const numbers = (key: 'oldLine' | 'newLine') =>
        lines.map((line) => line[key]).filter((n) => n !== null);
      expect(numbers('oldLine')).toEqual(numbers('oldLine').map((_, index) => index + 1));
      expect(numbers('newLine')).toEqual(numbers('newLine').map((_, index) => index + 1));
    }),
  );
});
test('a small change in a large file is one small hunk', () => {
  const lines = Array.from({ length: 500 }, (_, n) => `line ${n}`);
  const diff = diffFile(`${lines.join('\n')}\n`, `${lines.with(250, 'other').join('\n')}\n`);
  expect(diff).toMatchObject({ added: 1, deleted: 1 });
  expect(diff.hunks).toHaveLength(1);
  expect(diff.hunks[0]?.lines.map(({ kind }) => kind)).toEqual(['same', 'minus', 'plus', 'same']);
  expect(diff.hunks[0]?.header).toBe('@@ 250,3 @@');
});
test('two files with nothing in common stay affordable', () => {
  const file = (of: string) => Array.from({ length: 4000 }, (_, n) => `${of} ${n}`).join('\n');
  const diff = diffFile(file('a'), file('b'));
  expect(diff).toMatchObject({ added: 4000, deleted: 4000 });
});
test('a new file has only additions', () => {
  expect(diffFile('', 'x\ny\n')).toMatchObject({ added: 2, deleted: 0 });
});
