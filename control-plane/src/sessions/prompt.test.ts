import { expect, test } from 'vitest';
import { hashOf, titleOf } from './prompt.ts';

const text = (words: string) => [{ type: 'text' as const, text: words }];

test.each([
  ['Fix the tests', 'Fix the tests'],
  ['\n\n  Fix  \nmore', 'Fix'],
  ['', 'New session'],
  [' \n\t\n', 'New session'],
  ['word '.repeat(30), `${'word '.repeat(12).trim()}…`],
  ['x'.repeat(100), `${'x'.repeat(60)}…`],
  ['a\u0007b', 'a b'],
])('%j → %j', (prompt, title) => {
  expect(titleOf(text(prompt))).toBe(title);
});

test('a character that a person sees is not cut in two', () => {
  const family = '👨‍👩‍👧';
  const title = titleOf(text(family.repeat(20)));
  expect(title.replace('…', '').length % family.length).toBe(0);
  expect(title.length).toBeLessThanOrEqual(61);
});

test('without a prompt', () => {
  expect(titleOf(undefined)).toBe('New session');
  expect(titleOf([{ type: 'image', mimeType: 'image/png', data: '' }])).toBe('[image]');
});

test('the hash tells prompts apart', () => {
  expect(hashOf(text('a'))).toEqual(hashOf(text('a')));
  expect(hashOf(text('a'))).not.toEqual(hashOf([...text('a'), ...text('')]));
});
