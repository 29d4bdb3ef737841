import type { Turn } from '@berth/contract';
import { expect, test } from 'vitest';
import { queueOf } from './queue.ts';
import { openTranscript } from './transcript.ts';

const id = (n: number) => `01936d5e-0000-7000-8000-${String(n).padStart(12, '0')}`;
const text = (value: string) => [{ type: 'text' as const, text: value }];
const view = (...events: [kind: string, payload: object][]) =>
  openTranscript(
    {
      after: 0,
      to: events.length,
      events: events.map(([kind, payload], index) => ({
        sessionId: id(1),
        seq: index + 1,
        at: '2026-11-22T14:00:00.000Z',
        kind,
        payload,
      })),
    },
    false,
  ).view;
const listed = (n: number, position: number) =>
  ({
    id: id(n),
    sessionId: id(1),
    state: 'queued',
    position,
    prompt: text(`listed ${n}`),
    createdAt: '',
  }) as Turn;
const texts = (...given: Parameters<typeof queueOf>) =>
  queueOf(...given).map(
    ({ prompt, leaving }) =>
      `${prompt[0]?.type === 'text' ? prompt[0].text : '?'}${leaving ? ' (leaving)' : ''}`,
  );
const queued = (n: number, position: number): [string, object] => [
  'turn.queued',
  { turnId: id(n), prompt: text(`told ${n}`), position },
];

test('in the order of their positions', () => {
  expect(texts(view(queued(5, 1), queued(6, 0)), [], [])).toEqual(['told 6', 'told 5']);
});
test('moved and edited: the last word counts', () => {
  expect(
    texts(
      view(queued(5, 0), queued(6, 1), [
        'turn.queued',
        { turnId: id(5), prompt: text('other'), position: 2 },
      ]),
      [],
      [],
    ),
  ).toEqual(['told 6', 'other']);
});
test('what the log does not mention comes from the list, what it mentions does not', () => {
  expect(texts(view(queued(6, 1)), [listed(5, 0), listed(6, 0)], [])).toEqual([
    'listed 5',
    'told 6',
  ]);
});
test('started, ended or withdrawn: no longer waiting', () => {
  const gone = view(queued(5, 0), ['turn.started', { turnId: id(5) }], queued(6, 0), [
    'turn.ended',
    { turnId: id(6), state: 'cancelled' },
  ]);
  expect(texts(gone, [listed(5, 0)], [])).toEqual([]);
});
test('on its way, until the log tells of it', () => {
  const leaving = [{ turnId: id(7), prompt: text('new') }];
  expect(texts(view(queued(5, 0)), [], leaving)).toEqual(['told 5', 'new (leaving)']);
  expect(texts(view(queued(7, 0)), [], leaving)).toEqual(['told 7']);
});
