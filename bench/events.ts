/**
 * Runner → committed → reader: events in real link frames from a played runner to the built product, read through channel sockets in another process.
 *
 *   node bench/events.ts [--rate=5000] [--sessions=20] [--seconds=10] [--readers=1]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startBerth, until } from '../e2e/support/berth.ts';
import { ensureBuilt } from './support/built.ts';
import { nowUs } from './support/clock.ts';
import { createIdleSessions } from './support/sessions.ts';
import { playRunner } from './support/played-runner.ts';
import { cpuOf } from './support/processes.ts';
import { option, report } from './support/report.ts';
import type { Summary } from './support/stats.ts';

const rate = option('rate', 5000);
const sessions = option('sessions', 20);
const seconds = option('seconds', 10);
const readers = option('readers', 1);
const text = 'lorem ipsum dolor sit amet, consectetur adipiscing elit '.repeat(4);

ensureBuilt();
await using berth = await startBerth({ env: { LOG_LEVEL: 'warn' } });
const ids = await createIdleSessions(berth, sessions);
const runner = await playRunner(berth, ids);
const reader = fork(join(import.meta.dirname, 'support', 'event-reader.ts'));
reader.send({ url: berth.url, token: berth.token, sessions: ids, readers });
await once(reader, 'message');

let sent = 0;
/** Open loop: what is due is sent, however far behind the other side is. Each session's due events share a frame, as a journal's sync makes them. */
async function flow(ms: number): Promise<void> {
  const startedAt = performance.now();
  let due = 0;
  let done = 0;
  while (performance.now() - startedAt < ms) {
    due = Math.floor(((performance.now() - startedAt) * rate) / 1000);
    const batches = new Map<string, Record<string, unknown>[]>();
    for (; done < due; done++) {
      const id = ids[sent++ % ids.length] ?? '';
      const payload = {
        toolCallId: 'bench',
        rawInput: { sentAtUs: nowUs(), text },
      };
      const batch = batches.get(id);
      if (batch) batch.push(payload);
      else batches.set(id, [payload]);
    }
    for (const [id, batch] of batches) runner.put(id, batch);
    await pause(1);
  }
}

await flow(2000); // the compiler warms up
reader.send('record');
const before = { ...cpuOf(berth.pid), sent, at: performance.now() };
await flow(seconds * 1000);
const measuredMs = performance.now() - before.at;
const cpu = cpuOf(berth.pid).cpuMs - before.cpuMs;
const flowed = sent - before.sent;
await until(() => runner.open() === 0, 20_000, 'every event acknowledged');
await pause(500);
reader.send('end');
const [seen] = (await once(reader, 'message')) as [
  Summary & { delivered: number; disorder: number; cpuMs: number },
];
runner.close();

let stored = 0;
for (const id of ids) {
  const { items } = await berth.client.sessions.events(id, { tail: 1 });
  const { lastSeq } = await berth.client.sessions.get(id);
  if (items[0]?.seq !== lastSeq) throw new Error('the log does not end where it says');
  stored += await toolsOf(id);
}
report(
  'events',
  [
    { what: 'events a second', measured: flowed / (measuredMs / 1000), unit: '/s' },
    {
      what: 'runner → committed → reader, p50',
      measured: seen.p50,
      unit: 'ms',
      target: { atMost: 8 },
    },
    { what: 'the same, p99', measured: seen.p99, unit: 'ms', target: { atMost: 25 } },
    {
      what: 'lost on the way to readers',
      measured: sent * readers - seen.delivered,
      unit: 'events',
      target: { atMost: 0 },
    },
    { what: 'missing in the log', measured: sent - stored, unit: 'events', target: { atMost: 0 } },
    { what: 'out of order', measured: seen.disorder, unit: 'events', target: { atMost: 0 } },
    { what: 'control plane, of one core', measured: (cpu / measuredMs) * 100, unit: '%' },
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
