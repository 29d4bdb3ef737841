import { EventEmitter } from 'node:events';
import { linkVersion } from '@berth/contract/link';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { limits } from './limits.ts';
import { Link } from './link.ts';
import { recordedEvents } from './testing/played-runner.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => vi.useRealTimers());

/** A link whose runner says nothing. */
function silent(time: { ms: number }) {
  const socket = new EventEmitter();
  let ended = 0;
  Object.assign(socket, { ping: () => undefined, readyState: 1, terminate: () => ended++ });
  const link = new Link({
    runnerId: '00000000-0000-4000-8000-000000000001',
    socket: socket as unknown as WebSocket,
    challenge: 'now',
    events: () => recordedEvents().events,
    logger: pino({ level: 'silent' }),
    clock: { now: () => time.ms },
    greeted: async () => undefined,
    foreign: () => undefined,
    closed: () => undefined,
  });
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += limits.pingMs) {
      time.ms += limits.pingMs;
      vi.advanceTimersByTime(limits.pingMs);
    }
  };
  return { link, pass, heard: () => socket.emit('pong'), ended: () => ended };
}

test('a link serves from the moment in which it is told what its runner has', async () => {
  const { promise: known, resolve: makeKnown } = Promise.withResolvers<undefined>();
  const told: boolean[] = [];
  const { events } = recordedEvents();
  const socket = new EventEmitter();
  Object.assign(socket, { send: () => undefined, readyState: 1, bufferedAmount: 0 });
  const runnerId = '00000000-0000-4000-8000-000000000001';
  const link: Link = new Link({
    runnerId,
    socket: socket as unknown as WebSocket,
    challenge: 'now',
    events: () => ({
      ...events,
      hello: async () => {
        told.push(link.serving);
        return { sessions: [], purge: [] };
      },
    }),
    logger: pino({ level: 'silent' }),
    clock: { now: () => 0 },
    greeted: async () => {
      await known;
    },
    foreign: () => undefined,
    closed: () => undefined,
  });
  const hello = { op: 'hello', protocol: linkVersion, runnerId, version: '1', sessions: [] };
  socket.emit('message', Buffer.from(JSON.stringify(hello)), false);
  await Promise.resolve();
  expect(link.serving).toBe(false);
  makeKnown(undefined);
  await vi.waitFor(() => expect(told).toEqual([true]));
});

test('a runner that falls silent is given up, and one that is heard is not', () => {
  const { pass, heard, ended } = silent({ ms: 1_000_000 });
  pass(limits.helloMs - limits.pingMs);
  heard();
  pass(limits.helloMs - limits.pingMs);
  expect(ended()).toBe(0);
  pass(limits.pingMs);
  expect(ended()).toBe(1);
});

test('a clock that is set back by an hour hides no silence', () => {
  const time = { ms: 10_000_000 };
  const { pass, ended } = silent(time);
  time.ms -= 3_600_000;
  pass(limits.helloMs + limits.pingMs);
  expect(ended()).toBeGreaterThan(0);
});
