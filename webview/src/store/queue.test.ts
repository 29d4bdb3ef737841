import type { Event, Turn } from '@berth/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldQueue, queueOf } from './queue.ts';
import { append, openTranscript } from './transcript.ts';

const id = (n: number) => `01936d5e-0000-7000-8000-${String(n).padStart(12, '0')}`;
const text = (value: string) => [{ type: 'text' as const, text: value }];
type Told = [kind: string, payload: object];
const eventsOf = (told: readonly Told[], after = 0) =>
  told.map(([kind, payload], index) => ({
    sessionId: id(1),
    seq: after + index + 1,
    at: '2026-11-22T14:00:00.000Z',
    kind,
    payload,
  }));
const open = (told: readonly Told[], turns: Turn[] = []) =>
  openTranscript({ after: 0, to: told.length, events: eventsOf(told) }, false, [], turns);
const listed = (n: number, position: number) =>
  ({
    id: id(n),
    sessionId: id(1),
    state: 'queued',
    position,
    prompt: text(`listed ${n}`),
    createdAt: '',
  }) as Turn;
const texts = (told: readonly Told[], turns: Turn[] = [], outgoing: typeof leaving = []) => {
  const transcript = open(told, turns);
  return queueOf(transcript.queue, transcript.view, turns, outgoing).map(
    ({ prompt, leaving: away }) =>
      `${prompt[0]?.type === 'text' ? prompt[0].text : '?'}${away ? ' (leaving)' : ''}`,
  );
};
const queued = (n: number, position: number, words = `told ${n}`): Told => [
  'turn.queued',
  { turnId: id(n), prompt: text(words), position },
];
const started = (n: number): Told => ['turn.started', { turnId: id(n) }];
const leaving = [{ turnId: id(7), prompt: text('new') }];

test('in the order in which the agent will get them', () => {
  expect(texts([queued(5, 0), queued(6, 0)])).toEqual(['told 6', 'told 5']);
});
test('moved to the front: the others make room, though no event names them', () => {
  const told = [queued(5, 0), queued(6, 1), queued(7, 2), queued(7, 0)];
  expect(texts(told)).toEqual(['told 7', 'told 5', 'told 6']);
});
test('what comes after others have left stands behind those that were there', () => {
  const told = [queued(5, 0), queued(6, 1), queued(7, 2), started(5), started(6), queued(8, 1)];
  expect(texts(told)).toEqual(['told 7', 'told 8']);
});
test('moved and edited: the last word counts', () => {
  expect(texts([queued(5, 0), queued(6, 1), queued(5, 1, 'other')])).toEqual(['told 6', 'other']);
});
test('what the log does not mention comes from the list, what it mentions has its words from there', () => {
  expect(texts([queued(6, 1)], [listed(5, 0), listed(6, 1)])).toEqual(['listed 5', 'told 6']);
});
test('told after the list was read: behind it', () => {
  expect(texts([queued(6, 1)], [listed(5, 0)])).toEqual(['listed 5', 'told 6']);
});
test('started, ended or withdrawn: no longer waiting, whatever the list says', () => {
  const told = [
    queued(5, 0),
    started(5),
    queued(6, 0),
    ['turn.ended', { turnId: id(6), state: 'cancelled' }] as Told,
  ];
  expect(texts(told, [listed(5, 0)])).toEqual([]);
});
test('on its way, until the log tells of it', () => {
  expect(texts([queued(5, 0)], [], leaving)).toEqual(['told 5', 'new (leaving)']);
  expect(texts([queued(7, 0)], [], leaving)).toEqual(['told 7']);
});

/** A queue as the server keeps it, and the events that it says. */
function play(choices: readonly [what: number, which: number, where: number][]) {
  const queue: number[] = [];
  const told: Told[] = [];
  let next = 10;
  for (const [what, which, where] of choices) {
    const at = queue.length === 0 ? 0 : which % queue.length;
    const turn = queue[at];
    if (what % 3 === 0 || turn === undefined) {
      queue.push((next += 1));
      told.push(queued(next, queue.length - 1));
    } else if (what % 3 === 1) {
      queue.splice(at, 1);
      queue.splice(where % (queue.length + 1), 0, turn);
      told.push(queued(turn, queue.indexOf(turn)));
    } else {
      const first = queue.shift() ?? turn;
      told.push(started(first));
    }
  }
  return { queue: queue.map(id), told };
}
const choices = fc.array(fc.tuple(fc.nat(2), fc.nat(20), fc.nat(20)), { maxLength: 30 });

test('whatever is added, moved and taken: the order is the server’s, in any cut of the log', () => {
  fc.assert(
    fc.property(choices, fc.nat(30), (made, cut) => {
      const { queue, told } = play(made);
      const events = eventsOf(told) as unknown as Event[];
      expect(foldQueue([], events)).toEqual(queue);
      const before = told.slice(0, cut);
      const rest = told.slice(cut);
      const merged = append(open(before), {
        after: before.length,
        to: told.length,
        events: eventsOf(rest, before.length),
      });
      expect(merged.kind === 'merged' && merged.transcript.queue).toEqual(queue);
    }),
  );
});
test('opened in the middle: the list of the server is where the order begins', () => {
  fc.assert(
    fc.property(choices, fc.nat(30), (made, cut) => {
      const all = play(made);
      const at = play(made.slice(0, cut));
      const turns = at.queue.map((turnId, position) => ({ ...listed(1, position), id: turnId }));
      const from = at.told.length;
      const tail = openTranscript({ after: from, to: from, events: [] }, from > 0, [], turns);
      const merged = append(tail, {
        after: from,
        to: all.told.length,
        events: eventsOf(all.told.slice(from), from),
      });
      expect(merged.kind === 'merged' && merged.transcript.queue).toEqual(all.queue);
    }),
  );
});
