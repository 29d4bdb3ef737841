import { turnStates, type TurnState } from '@berth/contract';
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { holdsQueue, nextTurnState, statesBefore, turnEnds, type TurnEvent } from './turn.ts';

const ended = (state: 'done' | 'cancelled' | 'failed' | 'unknown'): TurnEvent => ({
  kind: 'ended',
  state,
});
const settled = (answer: 'resend' | 'arrived' | 'drop'): TurnEvent => ({ kind: 'settled', answer });
const events = {
  sent: { kind: 'sent' },
  accepted: { kind: 'accepted' },
  refused: { kind: 'refused' },
  started: { kind: 'started' },
  done: ended('done'),
  cancelled: ended('cancelled'),
  failed: ended('failed'),
  unknown: ended('unknown'),
  journalLost: { kind: 'journalLost' },
  withdrawn: { kind: 'withdrawn' },
  resend: settled('resend'),
  arrived: settled('arrived'),
  drop: settled('drop'),
} as const satisfies Record<string, TurnEvent>;
type Name = keyof typeof events;

// Every state × event: what is not listed leaves the state as it is.
const moves: Record<TurnState, Partial<Record<Name, TurnState>>> = {
  queued: { sent: 'sent', withdrawn: 'cancelled' },
  sent: {
    accepted: 'accepted',
    refused: 'failed',
    started: 'running', // `accepted` was lost on the way
    done: 'done',
    cancelled: 'cancelled',
    failed: 'failed',
    unknown: 'unknown',
    journalLost: 'unknown',
  },
  accepted: {
    started: 'running',
    done: 'done',
    cancelled: 'cancelled',
    failed: 'failed',
    unknown: 'unknown',
    journalLost: 'unknown',
  },
  running: {
    done: 'done',
    cancelled: 'cancelled',
    failed: 'failed',
    unknown: 'unknown',
    journalLost: 'unknown',
  },
  done: {},
  cancelled: {},
  failed: {},
  unknown: { resend: 'sent', arrived: 'done', drop: 'cancelled' },
};

describe.each(turnStates)('%s', (state) => {
  test.each(Object.keys(events) as Name[])('%s', (name) => {
    expect(nextTurnState(state, events[name])).toBe(moves[state][name] ?? state);
  });
});

test('the guard of the compare-and-set is the table', () => {
  for (const name of Object.keys(events) as Name[])
    expect(statesBefore(events[name]).sort()).toEqual(
      turnStates.filter((state) => moves[state][name] !== undefined).sort(),
    );
});

test('an end is an end; nothing goes back into the queue; a repeat changes nothing', () => {
  const event = fc.constantFrom(...Object.values(events));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (history) => {
      let state: TurnState = 'queued';
      for (const next of history) {
        const before: TurnState = state;
        state = nextTurnState(before, next);
        if (turnEnds.some((end) => end === before)) expect(state).toBe(before);
        if (before !== 'queued') expect(state).not.toBe('queued');
        if (state === 'sent' && before !== 'sent') expect(['queued', 'unknown']).toContain(before);
        expect(nextTurnState(state, next)).toBe(state);
      }
    }),
  );
});

test('a state either waits, holds the queue, or is an end', () => {
  expect(['queued', ...holdsQueue, ...turnEnds].sort()).toEqual([...turnStates].sort());
});
