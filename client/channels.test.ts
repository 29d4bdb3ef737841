import type { Event } from '@berth/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openChannels } from './channels.ts';
import { createClient } from './client.ts';
import type { From } from './reading.ts';
import { sessionId, simulatedServer } from './testing/simulated-server.ts';
import { virtualTime } from './testing/virtual-time.ts';

const client = createClient({ url: 'http://127.0.0.1:1', token: () => 'berth_x_y' });

function reader(from: From) {
  const seen: number[] = [];
  return {
    from,
    seen,
    live: [] as number[],
    handlers: {
      events: (events: readonly Event[]) => {
        for (const event of events) seen.push(event.seq);
      },
      live(seq: number) {
        this.liveAt.push(seq);
      },
      liveAt: [] as number[],
    },
  };
}

type Step =
  | { do: 'append'; kind: 'notice' | 'message.delta' | 'message' | 'from.the.future' }
  | { do: 'cut'; code: number }
  | { do: 'resync' }
  | { do: 'pass'; ms: number }
  | { do: 'reconnect-now' }
  | { do: 'join'; from: From };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      kind: fc.constantFrom(
        'notice',
        'message.delta',
        'message.delta',
        'message',
        'from.the.future',
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('cut' as const),
      code: fc.constantFrom(1006, 1012, 1013),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'resync' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.integer({ min: 1, max: 1500 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'reconnect-now' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      from: fc.oneof(
        fc.record({ after: fc.integer({ min: 0, max: 20 }) }),
        fc.record({ tail: fc.integer({ min: 0, max: 20 }) }),
        fc.constant({}),
      ),
    }),
  },
);

test('no event is lost or repeated, whatever is cut, delayed, doubled or dropped', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 0x7fffffff }),
      async (steps, seed) => {
        let state = seed;
        const random = () => {
          state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
          return state / 0x80000000;
        };
        const time = virtualTime();
        const server = simulatedServer(time, { random, duplicate: 0.2, lose: 0.1, delayMsMax: 30 });
        const channels = openChannels({ client, connect: server.connect, ...time, random });
        const readers = [reader({ after: 0 })];
        channels.session(sessionId, readers[0]!.from, readers[0]!.handlers);
        const joinedAt: number[] = [0];
        for (const each of steps) {
          switch (each.do) {
            case 'append':
              server.append(each.kind);
              break;
            case 'cut':
              server.cut(each.code);
              break;
            case 'resync':
              server.resync();
              break;
            case 'pass':
              await time.pass(each.ms);
              break;
            case 'reconnect-now':
              channels.reconnectNow();
              break;
            case 'join': {
              const joined = reader(each.from);
              readers.push(joined);
              joinedAt.push(server.log.length);
              channels.session(sessionId, joined.from, joined.handlers);
              break;
            }
          }
        }
        server.heal();
        server.append('notice');
        await time.pass(120_000);
        server.append('notice');
        await time.pass(120_000);

        readers.forEach((one, index) => {
          for (let i = 1; i < one.seen.length; i += 1)
            expect(one.seen[i]).toBeGreaterThan(one.seen[i - 1]!);
          // Everything after its beginning that still stands, in a kind that this build knows.
          const from = one.from.after ?? one.seen[0] ?? joinedAt[index]!;
          const first = one.from.after === undefined ? from - 1 : from;
          const standing = server.log
            .filter(
              (row) =>
                row.seq > first &&
                !server.superseded.has(row.seq) &&
                row.kind !== 'from.the.future',
            )
            .map((row) => row.seq);
          expect(one.seen.filter((seq) => !server.superseded.has(seq))).toEqual(standing);
          expect(one.handlers.liveAt.length).toBeGreaterThan(0);
        });
        channels.close();
        await time.settle();
        expect(server.connected).toBe(0);
        expect(channels.state).toEqual({ kind: 'disposed' });
      },
    ),
    { numRuns: 400 },
  );
}, 60_000);

test('a tail is the last events, and goes on from there after a cut', async () => {
  const time = virtualTime();
  const server = simulatedServer(time, { random: () => 0, duplicate: 0, lose: 0, delayMsMax: 1 });
  server.heal();
  for (let i = 0; i < 30; i += 1) server.append('notice');
  const channels = openChannels({ client, connect: server.connect, ...time, random: () => 0.5 });
  const one = reader({ tail: 5 });
  const stop = channels.session(sessionId, one.from, one.handlers);
  await time.pass(100);
  expect(one.seen).toEqual([26, 27, 28, 29, 30]);
  expect(one.handlers.liveAt).toEqual([30]);
  server.cut(1006);
  server.append('notice');
  expect(channels.state.kind).toBe('awaiting-retry');
  await time.pass(1000);
  expect(one.seen).toEqual([26, 27, 28, 29, 30, 31]);
  stop();
  server.append('notice');
  await time.pass(1000);
  expect(one.seen).toHaveLength(6);
  channels.close();
  expect(time.pending).toBe(0);
});

test('a server that falls silent is given up after 25 s and found again', async () => {
  const time = virtualTime();
  const server = simulatedServer(time, { random: () => 0, duplicate: 0, lose: 0, delayMsMax: 1 });
  let mute = false;
  const channels = openChannels({
    client,
    ...time,
    random: () => 0.5,
    connect: (url, protocols, headers, handlers) =>
      server.connect(url, protocols, headers, {
        ...handlers,
        message: (data) => {
          if (!mute) handlers.message(data);
        },
      }),
  });
  const states: string[] = [];
  channels.onState((state) => states.push(state.kind));
  await time.pass(100);
  await time.pass(60_000);
  expect(states).toEqual(['idle', 'connecting', 'connected']);
  mute = true;
  await time.pass(30_000);
  expect(states.slice(3)).toEqual(['awaiting-retry', 'connecting', 'connected']);
  channels.close();
});

test('sessions: a snapshot replaces what was known; an item of a newer server does not cost the others', async () => {
  const time = virtualTime();
  let push: (frame: unknown) => void = () => undefined;
  let close: (code: number) => void = () => undefined;
  const requests: { op: string; channel: string }[] = [];
  const channels = openChannels({
    client,
    ...time,
    random: () => 0.5,
    connect: (_url, _protocols, _headers, handlers) => {
      push = (frame) => handlers.message(JSON.stringify(frame));
      close = (code) => handlers.close(code, '');
      time.timers.after(1, () => handlers.open());
      return {
        bufferedBytes: 0,
        send: (data) => requests.push(JSON.parse(data as string) as never),
        close: () => undefined,
      };
    },
  });
  const known: string[][] = [];
  const stop = channels.sessions((change) => known.push([...change.all.keys()].sort()));
  await time.pass(10);
  expect(requests).toMatchObject([{ op: 'subscribe', channel: 'sessions' }]);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => sampleSession(name));
  push({ op: 'sessions', upsert: [a], remove: [] }); // before the snapshot: means nothing yet
  push({
    op: 'sessions',
    complete: true,
    upsert: [a, { ...b!, status: 'levitating' }],
    remove: [],
  });
  push({ op: 'sessions', upsert: [b, c], remove: [a!.id] });
  close(1012);
  await time.pass(10);
  expect(requests).toHaveLength(2);
  push({ op: 'sessions', complete: true, upsert: [a], remove: [] });
  const late: string[][] = [];
  channels.sessions((change) => late.push(change.upsert.map((item) => item.id)));
  expect(known).toEqual([[a!.id], [b!.id, c!.id], [a!.id]]);
  expect(late).toEqual([[a!.id]]);
  push({ op: 'resync', channel: 'sessions', seq: 0 });
  expect(requests).toHaveLength(3);
  stop();
  push({ op: 'sessions', upsert: [], remove: [a!.id] });
  expect(known).toHaveLength(3);
  channels.close();
});

test('a session that cannot be read says so, and a listener that throws harms nobody', async () => {
  const time = virtualTime();
  const errors: unknown[] = [];
  let handlersOf: { message(data: string): void } | undefined;
  const sent: { op: string; id: number; channel: string }[] = [];
  const channels = openChannels({
    client,
    ...time,
    onError: (error) => errors.push(error),
    connect: (_url, _protocols, _headers, handlers) => {
      handlersOf = handlers;
      time.timers.after(1, () => handlers.open());
      return {
        bufferedBytes: 0,
        send: (data) => sent.push(JSON.parse(data as string) as never),
        close: () => undefined,
      };
    },
  });
  const problems: string[] = [];
  channels.onState(() => {
    throw new Error('a listener of somebody else');
  });
  channels.session(
    sessionId,
    { after: 0 },
    { events: () => undefined, problem: (problem) => problems.push(problem.code) },
  );
  await time.pass(10);
  handlersOf?.message('{"op":"from the future"}');
  handlersOf?.message('not json');
  handlersOf?.message(
    JSON.stringify({
      op: 'problem',
      id: sent[0]?.id,
      channel: sent[0]?.channel,
      problem: { type: 't', title: 't', status: 404, detail: 'no such session', code: 'not-found' },
    }),
  );
  expect(problems).toEqual(['not-found']);
  expect(errors.length).toBeGreaterThan(0);
  channels.close();
});

const at = '2026-11-22T10:00:00.000Z';
function sampleSession(name: string) {
  return {
    id: `0198c0de-0000-7000-8000-00000000000${name}`,
    agentId: sessionId,
    agentName: 'Rehearsal',
    title: name,
    status: 'idle',
    statusSince: at,
    sandbox: { driver: 'local', phase: 'ready', isolated: true },
    queued: 0,
    waitingApprovals: 0,
    unreadSeq: 0,
    lastSeq: 0,
    mode: 'ask',
    holder: 'chat',
    usage: { inputTokens: 0, outputTokens: 0, costUsd: '0' },
    createdBy: { id: 'x', name: 'X' },
    createdAt: at,
    lastActivityAt: at,
    version: 1,
  };
}
