import { expect, test } from 'vitest';
import type { Entry } from '../store/entries.ts';
import { atDraft, historyOf, recall } from './history.ts';

const said = (order: number, text: string, by = 'ana'): Entry => ({
  kind: 'user',
  id: `user:${order}`,
  order,
  at: 0,
  turnId: String(order),
  content: [
    { type: 'text', text },
    { type: 'resource_link', uri: 'file:///workspace/a', name: 'a' },
  ],
  by: { id: by, name: by },
});

test('own messages only, newest first, each once', () => {
  const entries = [said(1, 'one'), said(2, 'theirs', 'mara'), said(3, 'two'), said(4, 'one')];
  expect(historyOf(entries, 'ana')).toEqual(['one', 'two']);
});

const history = ['newest', 'middle', 'oldest'];
test.each([
  [-1, '', 'ArrowUp', 0, 'newest'],
  [0, 'newest', 'ArrowUp', 1, 'middle'],
  [2, 'oldest', 'ArrowUp', null, null],
  [1, 'middle', 'ArrowDown', 0, 'newest'],
  [0, 'newest', 'ArrowDown', -1, ''],
  [-1, '', 'ArrowDown', null, null],
  [-1, 'being written', 'ArrowUp', null, null],
  [0, 'newest, changed', 'ArrowUp', null, null],
] as const)('at %i with %j, %s: %s', (at, shown, key, to, text) => {
  expect(recall(history, { at }, shown, key)).toEqual(
    to === null ? null : { recall: { at: to }, text },
  );
});
test('without a history nothing is recalled', () => {
  expect(recall([], atDraft, '', 'ArrowUp')).toBeNull();
});
