import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConnectionEvent, ConnectionState } from './connection.ts';
import { limits, nextConnection, retryDelayMs } from './connection.ts';

const states: ConnectionState[] = [
  { kind: 'idle' },
  { kind: 'connecting', attempt: 0 },
  { kind: 'connecting', attempt: 3 },
  { kind: 'connected', attempt: 0 },
  { kind: 'connected', attempt: 2 },
  { kind: 'awaiting-retry', attempt: 3, delayMs: 1000 },
  { kind: 'disconnected', reason: 'auth' },
  { kind: 'disposed' },
];
const events: ConnectionEvent[] = [
  { kind: 'start' },
  { kind: 'opened' },
  { kind: 'steady' },
  { kind: 'closed', code: 1006, random: 0.5 },
  { kind: 'closed', code: 1012, random: 0.5 },
  { kind: 'closed', code: 4401, random: 0.5 },
  { kind: 'refused', reason: 'protocol' },
  { kind: 'retry-due' },
  { kind: 'reconnect-now' },
  { kind: 'dispose' },
];

test.each<[ConnectionState, ConnectionEvent, ConnectionState]>([
  [{ kind: 'idle' }, { kind: 'start' }, { kind: 'connecting', attempt: 0 }],
  [{ kind: 'connecting', attempt: 2 }, { kind: 'opened' }, { kind: 'connected', attempt: 2 }],
  [{ kind: 'connected', attempt: 2 }, { kind: 'steady' }, { kind: 'connected', attempt: 0 }],
  [
    { kind: 'connected', attempt: 0 },
    { kind: 'closed', code: 1006, random: 0.5 },
    { kind: 'awaiting-retry', attempt: 1, delayMs: 250 },
  ],
  [
    { kind: 'connecting', attempt: 2 },
    { kind: 'closed', code: 1006, random: 0.5 },
    { kind: 'awaiting-retry', attempt: 3, delayMs: 1000 },
  ],
  // A server that lets us in and throws us out at once is waited for longer and longer.
  [
    { kind: 'connected', attempt: 4 },
    { kind: 'closed', code: 1012, random: 0.5 },
    { kind: 'awaiting-retry', attempt: 5, delayMs: 4000 },
  ],
  [
    { kind: 'connected', attempt: 0 },
    { kind: 'closed', code: 1012, random: 0 },
    { kind: 'connecting', attempt: 1 },
  ],
  [
    { kind: 'connected', attempt: 0 },
    { kind: 'closed', code: 4401, random: 0 },
    { kind: 'disconnected', reason: 'auth' },
  ],
  [
    { kind: 'connected', attempt: 0 },
    { kind: 'closed', code: 4403, random: 0 },
    { kind: 'disconnected', reason: 'forbidden' },
  ],
  [
    { kind: 'connecting', attempt: 0 },
    { kind: 'closed', code: 4409, random: 0 },
    { kind: 'disconnected', reason: 'protocol' },
  ],
  [
    { kind: 'awaiting-retry', attempt: 9, delayMs: 30_000 },
    { kind: 'reconnect-now' },
    { kind: 'connecting', attempt: 0 },
  ],
  [
    { kind: 'disconnected', reason: 'auth' },
    { kind: 'reconnect-now' },
    { kind: 'connecting', attempt: 0 },
  ],
  [
    { kind: 'disconnected', reason: 'auth' },
    { kind: 'retry-due' },
    { kind: 'disconnected', reason: 'auth' },
  ],
])('%j + %j = %j', (before, event, after) => {
  expect(nextConnection(before, event)).toEqual(after);
});

test('disposed is the end, and no event brings it back', () => {
  for (const event of events)
    expect(nextConnection({ kind: 'disposed' }, event)).toEqual({ kind: 'disposed' });
});

test('every state and event gives a state; whoever is not told to wait for a person gets back by itself', () => {
  for (const state of states) {
    for (const event of events) {
      const next = nextConnection(state, event);
      expect(states.map((one) => one.kind)).toContain(next.kind);
      if (next.kind === 'disconnected' && state.kind !== 'disconnected')
        expect(['closed', 'refused']).toContain(event.kind);
    }
  }
});

test('the delay grows from 250 ms to 30 s, within a tenth', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
      const plain = Math.min(250 * 2 ** Math.min(attempt, 30), limits.delayMsMax);
      const delay = retryDelayMs(attempt, random);
      expect(delay).toBeGreaterThanOrEqual(Math.round(plain * 0.9));
      expect(delay).toBeLessThanOrEqual(Math.round(plain * 1.1));
    }),
  );
});
