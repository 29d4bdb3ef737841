/**
 * The log's writer, 20 sessions × 5 events a group, against a bare `pg` loop that inserts the same events by `unnest` into the same table: no fence, no sequence, no
 * repeat, the same binary arrays. Both in turns on one embedded server, one statement in flight each.
 *
 *   node bench/ingest.ts [--sessions=20] [--events=5] [--slices=16] [--ms=400]
 */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import {
  int4Array,
  int8Array,
  jsonArray,
  textArray,
  timestampArray,
  uuidArray,
} from '../control-plane/src/sessions/log/binary.ts';
import { raiseEpoch } from '../control-plane/src/sessions/log/heads.ts';
import type { SessionLog } from '../control-plane/src/sessions/log/session-log.ts';
import { append } from '../control-plane/src/sessions/log/statement.ts';
import { LogWriter } from '../control-plane/src/sessions/log/writer.ts';
import { openBenchDatabase } from './support/database.ts';
import { option, report } from './support/report.ts';
import { median, summary } from './support/stats.ts';

const sessions = option('sessions', 20);
const events = option('events', 5);
const slices = option('slices', 16);
const sliceMs = option('ms', 400);

await using database = await openBenchDatabase();
const client = await database.connect();
let made = 0;
const payload = (): string =>
  JSON.stringify({
    toolCallId: `call-${String(made++)}`,
    text: 'lorem ipsum dolor sit amet '.repeat(9),
  });
const at = 1_750_000_000_000;
const entry = () => ({ kind: 'tool', payload: payload(), at });

/** Bare: the caller counts the numbers itself. */
const bareIds = Array.from({ length: sessions }, () => randomUUID());
let bareSeq = 0;
async function bare(): Promise<void> {
  const ids: string[] = [];
  const seqs: number[] = [];
  const payloads: string[] = [];
  for (const id of bareIds)
    for (let i = 1; i <= events; i++) {
      ids.push(id);
      seqs.push(bareSeq + i);
      payloads.push(payload());
    }
  bareSeq += events;
  await client.query({
    name: 'bare',
    text: `insert into session_event (session_id, seq, at, epoch, kind, payload)
           select v.id, v.seq, v.at, v.epoch, v.kind, v.payload
             from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::int[], $5::text[], $6::json[])
               as v(id, seq, at, epoch, kind, payload)`,
    values: [
      uuidArray(ids),
      int8Array(seqs),
      timestampArray(ids.map(() => at)),
      int4Array(ids.map(() => 1)),
      textArray(ids.map(() => 'tool')),
      jsonArray(payloads),
    ],
  });
}

/** The statement alone: fence, sequence and repeat. */
const statementIds = await database.newHeads(sessions);
let batch = 0;
async function statement(): Promise<void> {
  batch += 1;
  const outcomes = await append(
    client,
    statementIds.map((sessionId) => ({
      sessionId,
      epoch: 0,
      batch,
      sourceFrom: (batch - 1) * events + 1,
      sourceTo: batch * events,
      openFrom: null,
      entries: Array.from({ length: events }, entry),
    })),
  );
  if (outcomes.some(({ result }) => result !== 'ok')) throw new Error('a batch was not stored');
}

/** The whole writer: checks, queues, groups, publishes, answers. Its window is switched off, because the loop waits for each answer. */
const published = { events: 0 };
await using writer = new LogWriter({
  connect: () => database.connect(),
  logger: pino({ level: 'silent' }),
  committed: (_id, stored) => (published.events += stored.length),
  lost: (_id, _log, lost) => {
    throw lost;
  },
  limits: { windowMs: 0 },
});
const logs: SessionLog[] = [];
for (const id of await database.newHeads(sessions)) {
  const head = await raiseEpoch(database.pool, id, null);
  if (head === null) throw new Error('no head');
  logs.push(writer.own({ sessionId: id, ...head }));
}
let source = 0;
const appended = (log: SessionLog, n: number): Promise<void> =>
  new Promise((resolve, reject) =>
    log.append({
      entries: [entry()],
      source: n,
      done: (lost) => (lost === null ? resolve() : reject(lost)),
    }),
  );
async function whole(): Promise<void> {
  const done: Promise<void>[] = [];
  for (let i = 1; i <= events; i++) for (const log of logs) done.push(appended(log, source + i));
  source += events;
  await Promise.all(done);
}

const loops = { bare, statement, whole };
type Name = keyof typeof loops;
const rates: Record<Name, number[]> = { bare: [], statement: [], whole: [] };
const latencies: Record<Name, number[]> = { bare: [], statement: [], whole: [] };
for (let slice = -1; slice < slices; slice++)
  for (const name of Object.keys(loops) as Name[]) {
    const startedAt = performance.now();
    let groups = 0;
    while (performance.now() - startedAt < sliceMs) {
      const before = performance.now();
      await loops[name]();
      if (slice >= 0) latencies[name].push(performance.now() - before);
      groups++;
    }
    const rate = (groups * sessions * events * 1000) / (performance.now() - startedAt);
    if (slice >= 0) rates[name].push(rate);
  }
await client.end();
/** Of neighbours in time, so that a load from outside meets both. */
const ratio = (name: Name): number =>
  median(rates[name].map((rate, i) => rate / (rates.bare[i] ?? Number.NaN)));
if (published.events !== source * sessions) throw new Error('an event was not published');
report(
  'ingest',
  [
    { what: 'bare unnest insert', measured: median(rates.bare), unit: 'events/s' },
    { what: 'statement alone', measured: median(rates.statement), unit: 'events/s' },
    { what: 'log writer', measured: median(rates.whole), unit: 'events/s' },
    { what: 'statement / bare', measured: ratio('statement') * 100, unit: '%' },
    {
      what: 'log writer / bare',
      measured: ratio('whole') * 100,
      unit: '%',
      target: { atLeast: 65 },
    },
    { what: 'log writer, a group, p50', measured: summary(latencies.whole).p50, unit: 'ms' },
    { what: 'the same, p99', measured: summary(latencies.whole).p99, unit: 'ms' },
  ],
  { bare: summary(latencies.bare), writer: summary(latencies.whole) },
);
