import { expect, test } from 'vitest';
import { checkWriters, type Written } from './fence.ts';

const one = (what: Written['what'], epoch: number, by: string): Written => ({
  session: 's',
  what,
  epoch,
  by,
  detail: '',
});

test('whoever was taken over from writes neither event nor row; whoever took over does', () => {
  const right = [
    one('raised', 1, 'first'),
    one('event', 1, 'first'),
    one('turn', 1, 'first'),
    one('raised', 2, 'second'),
    one('turn', 2, 'second'),
    one('event', 2, 'second'),
  ];
  expect(checkWriters(right)).toEqual([]);
  for (const wrong of [one('event', 1, 'first'), one('turn', 2, 'first'), one('event', 2, 'first')])
    expect(checkWriters([...right, wrong])).toHaveLength(1);
});

test('a session that its process wrote before anybody looked is nobody’s fault', () => {
  expect(checkWriters([one('event', 1, 'first'), one('turn', 1, 'first')])).toEqual([]);
});
