/**
 * Runner → committed → reader: events in real link frames from a played runner to the built product, read through channel sockets in another process.
 * Beside it, in turns in the same run: a bare relay with the same sockets, the same window and a bare insert (`support/bare-relay.ts`).
 *
 *   node bench/events.ts [--rate=5000] [--sessions=20] [--seconds=10] [--readers=1]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { startBerth, until } from '../e2e/support/berth.ts';
import { ensureBuilt } from './support/built.ts';
import { nowUs } from './support/clock.ts';
import { openBenchDatabase } from './support/database.ts';
import { playRunner } from './support/played-runner.ts';
import { cpuOf } from './support/processes.ts';
import { option, report } from './support/report.ts';
import { createIdleSessions } from './support/sessions.ts';
import type { Summary } from './support/stats.ts';

const rate = option('rate', 5000);
const sessions = option('sessions', 20);
const seconds = option('seconds', 10);
const readers = option('readers', 1);
const slices = 5;
const text = 'lorem ipsum dolor sit amet, consectetur adipiscing elit '.repeat(4);

ensureBuilt();
await using berth = await startBerth({ env: { LOG_LEVEL: 'warn' } });
await using database = await openBenchDatabase();
const ids = await createIdleSessions(berth, sessions);

type Put = (sessionId: string, payloads: readonly Record<string, unknown>[]) => void;
type Seen = Summary & { delivered: number; disorder: number; cpuMs: number };
interface Side {
  put: Put;
  reader: ChildProcess;
  sent: number;
  cpuMs: number;
  ms: number;
  pid: number;
}

async function readerOf(url: string, token: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'support', 'event-reader.ts'));
  child.send({ url, token, sessions: ids, readers });
  await once(child, 'message');
  return child;
}
const side = (put: Put, reader: ChildProcess, pid: number): Side => ({
  ...{ put, reader, pid, sent: 0, cpuMs: 0, ms: 0 },
});

const runner = await playRunner(berth, ids);
const ours = side(
  (id, payloads) => runner.put(id, payloads),
  await readerOf(berth.url, berth.token),
  berth.pid,
);

const relay = fork(join(import.meta.dirname, 'support', 'bare-relay.ts'), [database.url]);
const [port] = (await once(relay, 'message')) as [number];
const relayUrl = `ws://127.0.0.1:${String(port)}`;
const link = new WebSocket(relayUrl, { perMessageDeflate: false });
await once(link, 'open');
const bare = side(
  (sessionId, payloads) =>
    link.send(
      JSON.stringify({ op: 'events', sessionId, items: payloads.map((payload) => ({ payload })) }),
    ),
  await readerOf(relayUrl, ''),
  relay.pid ?? 0,
);

/** Open loop: what is due is sent, however far behind the other side is. Each session's due events share a frame, as a journal's sync makes them. */
async function flow(to: Side, ms: number): Promise<void> {
  const startedAt = performance.now();
  const cpuBefore = cpuOf(to.pid).cpuMs;
  let done = 0;
  while (performance.now() - startedAt < ms) {
    const due = Math.floor(((performance.now() - startedAt) * rate) / 1000);
    const batches = new Map<string, Record<string, unknown>[]>();
    for (; done < due; done++) {
      const id = ids[to.sent++ % ids.length] ?? '';
      const payload = { toolCallId: 'bench', rawInput: { sentAtUs: nowUs(), text } };
      const batch = batches.get(id);
      if (batch) batch.push(payload);
      else batches.set(id, [payload]);
    }
    for (const [id, batch] of batches) to.put(id, batch);
    await pause(1);
  }
  to.ms += performance.now() - startedAt;
  await pause(300);
  to.cpuMs += cpuOf(to.pid).cpuMs - cpuBefore;
}

for (const each of [bare, ours]) {
  await flow(each, 2000); // the compiler warms up
  each.reader.send('record');
  each.ms = 0;
  each.cpuMs = 0;
}
const warm = ours.sent;
for (let slice = 0; slice < slices; slice++)
  for (const each of [bare, ours]) await flow(each, (seconds * 1000) / slices);
await until(() => runner.open() === 0, 20_000, 'every event acknowledged');

async function seenBy({ reader }: Side): Promise<Seen> {
  reader.send('end');
  const [seen] = (await once(reader, 'message')) as [Seen];
  return seen;
}
const seen = { ours: await seenBy(ours), bare: await seenBy(bare) };
runner.close();
link.terminate();
relay.disconnect();

let stored = 0;
for (const id of ids) stored += await toolsOf(id);
report(
  'events',
  [
    { what: 'events a second', measured: ((ours.sent - warm) * 1000) / ours.ms, unit: '/s' },
    {
      what: 'runner → committed → reader, p50',
      measured: seen.ours.p50,
      unit: 'ms',
      target: { atMost: 8 },
    },
    { what: 'the same, p99', measured: seen.ours.p99, unit: 'ms', target: { atMost: 25 } },
    { what: 'bare relay, p50', measured: seen.bare.p50, unit: 'ms' },
    { what: 'bare relay, p99', measured: seen.bare.p99, unit: 'ms' },
    { what: 'Berth / bare, p50', measured: seen.ours.p50 / seen.bare.p50, unit: '×' },
    {
      what: 'lost on the way to readers',
      measured: ours.sent * readers - seen.ours.delivered,
      unit: 'events',
      target: { atMost: 0 },
    },
    {
      what: 'missing in the log',
      measured: ours.sent - stored,
      unit: 'events',
      target: { atMost: 0 },
    },
    { what: 'out of order', measured: seen.ours.disorder, unit: 'events', target: { atMost: 0 } },
    { what: 'control plane, of one core', measured: (ours.cpuMs / ours.ms) * 100, unit: '%' },
    { what: 'bare relay, of one core', measured: (bare.cpuMs / bare.ms) * 100, unit: '%' },
  ],
  { seen },
);

async function toolsOf(id: string): Promise<number> {
  let count = 0;
  for (let after = 0; ;) {
    const { items, lastSeq } = await berth.client.sessions.events(id, { after, limit: 1000 });
    count += items.filter(({ kind }) => kind === 'tool').length;
    after = items.at(-1)?.seq ?? lastSeq;
    if (after >= lastSeq) return count;
  }
}
