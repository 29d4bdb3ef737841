import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../store/testing/index.ts';
import { until } from '../testing/until.ts';
import type { Stored } from './entry.ts';
import { Feeds } from './feeds.ts';
import { raiseEpoch } from './heads.ts';
import { createEventReader } from './replay.ts';
import type { SessionLog, SessionLost } from './session-log.ts';
import { append } from './statement.ts';
import { sweepDeltas } from './sweep.ts';
import { LogWriter, type LogWriterOptions } from './writer.ts';

const logger = pino({ level: 'silent' });
let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ maxConnections: 20 });
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});

async function newSession(): Promise<string> {
  const id = randomUUID();
  await db.pool.query(`insert into session_head (session_id) values ($1)`, [id]);
  return id;
}
interface Row {
  seq: number;
  epoch: number;
  kind: string;
  payload: { n?: number; text?: string; code?: string };
}
async function rows(id: string): Promise<Row[]> {
  const found = await db.pool.query<Row>(
    `select seq::float8 as seq, epoch, kind, payload from session_event where session_id = $1 order by seq`,
    [id],
  );
  return found.rows;
}
const gapless = (found: readonly Row[]) =>
  expect(found.map((r) => r.seq)).toEqual(found.map((_, i) => i + 1));

function writer(options: Partial<LogWriterOptions> = {}) {
  const published = new Map<string, Stored[]>();
  const lost: SessionLost[] = [];
  const made = new LogWriter({
    connect: () => db.store.connect('test log'),
    logger,
    committed: (id, events) => published.set(id, [...(published.get(id) ?? []), ...events]),
    lost: (_id, _log, reason) => lost.push(reason),
    ...options,
  });
  const own = async (id: string, sourceId: string | null = null) => {
    const head = await raiseEpoch(db.pool, id, sourceId);
    if (head === null) throw new Error('no head');
    return { head, log: made.own({ sessionId: id, ...head }) };
  };
  return { writer: made, own, published, lost, [Symbol.asyncDispose]: () => made.close() };
}
const note = (n: number, kind = 'notice') => ({
  kind,
  payload: JSON.stringify({ n }),
  at: 1e12 + n,
});
const put = (log: SessionLog, n: number, source?: number) =>
  new Promise<SessionLost | null>((done) =>
    log.append({ entries: [note(n)], ...(source === undefined ? {} : { source }), done }),
  );

describe('the statement', () => {
  test('another epoch is fenced, the others of the group are stored', async () => {
    const client = await db.store.connect('statement');
    const [a, b] = [await newSession(), await newSession()];
    const one = {
      sessionId: a,
      epoch: 0,
      batch: 1,
      sourceFrom: null,
      sourceTo: null,
      openFrom: null,
    };
    const out = await append(client, [
      { ...one, epoch: 7, entries: [note(1)] },
      { ...one, sessionId: b, entries: [note(1), note(2)] },
    ]);
    expect(out).toMatchObject([{ result: 'fenced' }, { result: 'ok', from: 1 }]);
    expect(await rows(a)).toEqual([]);
    // The same batch again: nothing is written, the same answer.
    const again = await append(client, [{ ...one, sessionId: b, entries: [note(1), note(2)] }]);
    expect(again).toMatchObject([{ result: 'again', from: 1 }]);
    expect(await rows(b)).toHaveLength(2);
    const source = { ...one, sessionId: b, sourceFrom: 4, sourceTo: 5 };
    expect(await append(client, [{ ...source, batch: 2, entries: [] }])).toMatchObject([
      { result: 'ok', from: 3 },
    ]);
    expect(await append(client, [{ ...source, batch: 3, entries: [note(3)] }])).toMatchObject([
      { result: 'conflict' },
    ]);
    await client.end();
  });

  test('another source starts to count again, the same one goes on', async () => {
    const id = await newSession();
    const [x, y] = [randomUUID(), randomUUID()];
    await using at = writer();
    const { log } = await at.own(id, x);
    expect(await put(log, 1, 9)).toBeNull();
    expect(await raiseEpoch(db.pool, id, x)).toMatchObject({
      lastSourceSeq: 9,
      previousSourceId: x,
    });
    expect(await raiseEpoch(db.pool, id, null)).toMatchObject({ lastSourceSeq: 9, sourceId: x });
    expect(await raiseEpoch(db.pool, id, y)).toMatchObject({
      lastSourceSeq: 0,
      previousSourceId: x,
    });
    expect(await raiseEpoch(db.pool, randomUUID(), null)).toBeNull();
  });
});

test('an old writer never writes after a new one', async () => {
  const ids = await Promise.all(Array.from({ length: 10 }, newSession));
  await using old = writer();
  await using young = writer();
  const logs = await Promise.all(ids.map(async (id) => (await old.own(id)).log));
  const answers: Promise<SessionLost | null>[] = [];
  for (let n = 1; n <= 200; n++) for (const log of logs) answers.push(put(log, n));
  await until('something is stored', async () => (await rows(ids[0] ?? '')).length > 0);
  const taken = await Promise.all(ids.map(async (id) => (await young.own(id)).log));
  for (let n = 1; n <= 50; n++)
    for (const [i, log] of taken.entries()) {
      answers.push(put(log, 1000 + n));
      const before = logs[i];
      if (before !== undefined) answers.push(put(before, 5000 + n));
    }
  const lost = (await Promise.all(answers)).filter((answer) => answer !== null);
  expect(lost.every(({ reason }) => reason === 'fenced')).toBe(true);
  for (const id of ids) {
    const found = await rows(id);
    gapless(found);
    const epochs = found.map((r) => r.epoch);
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
    expect(found.filter((r) => r.epoch === 2)).toHaveLength(50);
  }
});

test('backends that are terminated, and replies that are lost, double nothing and lose nothing', async () => {
  const ids = await Promise.all(Array.from({ length: 4 }, newSession));
  const pids: number[] = [];
  let commits = 0;
  await using at = writer({
    connect: async () => {
      const client = await db.store.connect('test log');
      const { rows: found } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      pids.push(found[0]?.pid ?? 0);
      return losingReplies(client, () => ++commits % 5 === 0);
    },
  });
  const logs = await Promise.all(ids.map(async (id) => (await at.own(id)).log));
  const answers: Promise<SessionLost | null>[] = [];
  for (let n = 1; n <= 300; n++) {
    for (const log of logs) answers.push(put(log, n, n));
    if (n % 10 === 0) await answers.at(-1);
    if (n % 60 === 0) await db.pool.query('select pg_terminate_backend($1)', [pids.at(-1)]);
  }
  expect(new Set(await Promise.all(answers))).toEqual(new Set([null]));
  expect(pids.length).toBeGreaterThan(5);
  for (const id of ids) {
    const found = await rows(id);
    gapless(found);
    expect(found.map((r) => r.payload.n)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(at.published.get(id)?.map((e) => e.seq)).toEqual(found.map((r) => r.seq));
  }
});

/** The server commits, but nobody hears of it: the connection breaks before the reply is read. */
function losingReplies(client: pg.Client, when: () => boolean): pg.Client {
  const query = client.query.bind(client) as (...parameters: unknown[]) => Promise<unknown>;
  const losing = async (...parameters: unknown[]): Promise<unknown> => {
    const reply = await query(...parameters);
    if (!when()) return reply;
    await client.end();
    throw new Error('Connection terminated unexpectedly');
  };
  return Object.assign(client, { query: losing });
}

test('values that Postgres does not take become errors in their place, and only those', async () => {
  const [good, bad] = [await newSession(), await newSession()];
  await using at = writer();
  const { log: fine } = await at.own(good);
  const { log } = await at.own(bad);
  const deep = `{"x":${'['.repeat(600)}${']'.repeat(600)}}`;
  const cases: [string, string, string][] = [
    ['notice', '{"n":1}', 'notice'],
    ['notice', '{"n":', 'error'], // cut short: only Postgres sees it
    ['notice', '{"n":"\0"}', 'error'],
    ['notice', deep, 'error'],
    ['Notice', '{}', 'error'],
    ['no\0tice', '{}', 'error'],
    ['notice', '', 'error'],
    ['notice', '{"escaped":"\\u0000 \\ud800"}', 'notice'],
    ['notice', '{"n":01}', 'error'],
    ['notice', '{"n":2}', 'notice'],
  ];
  const answers = cases.map(
    ([kind, payload]) =>
      new Promise<SessionLost | null>((done) =>
        log.append({ entries: [{ kind, payload, at: 1 }], done }),
      ),
  );
  for (let n = 0; n < 50; n++) answers.push(put(fine, n));
  expect(new Set(await Promise.all(answers))).toEqual(new Set([null]));
  const found = await rows(bad);
  gapless(found);
  expect(found.map((r) => r.kind)).toEqual(cases.map(([, , kind]) => kind));
  expect(found[1]?.payload.code).toBe('event-refused');
  expect(await rows(good)).toHaveLength(50);
});

test('what cannot be stored for any other reason fails its session, not the others', async () => {
  const [good, bad] = [await newSession(), await newSession()];
  await using at = writer();
  const { log: fine } = await at.own(good);
  const { log } = await at.own(bad);
  // A row that stands where the next one belongs: an invariant is broken, and nothing may be written over it.
  await db.pool.query(
    `insert into session_event (session_id, seq, epoch, kind, payload) values ($1, 1, 1, 'notice', '{}')`,
    [bad],
  );
  const [lost, stored] = await Promise.all([put(log, 1), put(fine, 1)]);
  expect(lost?.reason).toBe('failed');
  expect(stored).toBeNull();
  expect(await put(log, 2)).toMatchObject({ reason: 'failed' });
  expect(at.lost).toHaveLength(1);
});

test('above the high-water mark the writer says so, and tells when it has room', async () => {
  const id = await newSession();
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  await using at = writer({
    connect: async () => {
      await gate;
      return db.store.connect('test log');
    },
    limits: { highWaterBytes: 10_000, lowWaterBytes: 5_000 },
  });
  const { log } = await at.own(id);
  const answers = Array.from({ length: 200 }, (_, n) => put(log, n));
  expect(at.writer.full).toBe(true);
  const drained = at.writer.drained();
  open();
  await drained;
  expect(at.writer.full).toBe(false);
  await Promise.all(answers);
  gapless(await rows(id));
});

describe('reading', () => {
  async function filled(count: number) {
    const id = await newSession();
    const at = writer();
    const { log } = await at.own(id);
    const turnId = randomUUID();
    const answers: Promise<unknown>[] = [];
    for (let n = 1; n <= count; n++) answers.push(put(log, n));
    const delta = (messageId: string, text: string) =>
      new Promise((done) =>
        log.append({
          entries: [
            { kind: 'message.delta', payload: '', at: 1, turnId, delta: { messageId, text } },
          ],
          done,
        }),
      );
    await Promise.all(answers);
    return { id, at, log, delta, turnId };
  }

  test('replay gives exactly what was published live, in pages and from the end', async () => {
    const { id, at, log } = await filled(2500);
    await new Promise((done) =>
      log.append({
        entries: [
          {
            kind: 'odd',
            payload: '{"a" : [1e3,"\\u0000\\ud800é"]}',
            at: 1_700_000_000_123,
            turnId: randomUUID(),
            raw: 'x\0y',
          },
        ],
        done,
      }),
    );
    const reader = createEventReader(db.pool);
    const live = at.published.get(id)?.map((e) => e.json) ?? [];
    const replayed: string[] = [];
    for (let after = 0; ;) {
      const page = await reader.page(id, after, 2501);
      replayed.push(...page.map((e) => e.json));
      if (page.length < 1000) break;
      after = page.at(-1)?.seq ?? 0;
    }
    expect(replayed).toEqual(live);
    expect((await reader.before(id, Number.MAX_SAFE_INTEGER, 3)).map((e) => e.json)).toEqual(
      live.slice(-3),
    );
    expect((await reader.before(id, 10, 3)).map((e) => e.seq)).toEqual([7, 8, 9]);
    await at.writer.close();
  });

  test('deltas are seen while their text is open, and neither replayed nor kept after', async () => {
    const { id, at, log, delta } = await filled(1);
    const reader = createEventReader(db.pool);
    for (const word of ['a', 'b', 'c']) await delta('m', word);
    await delta('n', 'other');
    expect((await reader.after(id, 0, 10)).map((e) => e.kind)).toEqual([
      'notice',
      ...Array<string>(4).fill('message.delta'),
    ]);
    // Another process takes over in the middle and knows what was open.
    const { log: taken, head } = await at.own(id);
    expect(head.open.all().map((t) => t.text)).toEqual(['abc', 'other']);
    expect(log.lost).toMatchObject({ reason: 'fenced' });
    const closed = taken.close('message', 'm', 5);
    await new Promise((done) => taken.append({ entries: closed === null ? [] : [closed], done }));
    const seen = await reader.after(id, 0, 10);
    // `n` is still open, and began after `m`: the deltas of `m` are below it.
    expect(seen.map((e) => [e.seq, e.kind])).toEqual([
      [1, 'notice'],
      [5, 'message.delta'],
      [6, 'message'],
    ]);
    expect(JSON.parse(seen[2]?.json ?? '')).toMatchObject({
      payload: { content: [{ type: 'text', text: 'abc' }], supersedes: { from: 2, to: 4 } },
    });
    expect(await sweepDeltas(db.pool, id, new AbortController().signal)).toBe(3);
    await new Promise((done) => taken.append({ entries: taken.closeAll(6), done }));
    expect(await sweepDeltas(db.pool, id, new AbortController().signal)).toBe(1);
    expect((await rows(id)).map((r) => r.kind)).toEqual(['notice', 'message', 'message']);
    await at.writer.close();
  });

  test('readers that come and go under load miss nothing and get nothing twice, on two processes', async () => {
    const id = await newSession();
    const table = createEventReader(db.pool);
    const here = new Feeds({ table, logger });
    const there = new Feeds({ table, logger });
    await using at = writer({
      committed: (session, events) => {
        here.local(session, events);
        // Hints: late, and not for all.
        const last = events.at(-1)?.seq ?? 0;
        if (last % 3 !== 0) setTimeout(() => there.hint(session, last), last % 7);
      },
    });
    const { log } = await at.own(id);
    const answers: Promise<unknown>[] = [];
    const viewers: { after: number; got: number[]; live: boolean; resyncs: number }[] = [];
    const closing: (() => void)[] = [];
    for (let n = 1; n <= 3000; n++) {
      answers.push(put(log, n));
      if (n % 10 === 0) await new Promise(setImmediate);
      if (n % 300 === 0) {
        const after = n % 900 === 0 ? 0 : n - 250;
        const viewer = { after, got: [] as number[], live: false, resyncs: 0 };
        viewers.push(viewer);
        const feeds = n % 600 === 0 ? here : there;
        const subscribed = await feeds.subscribe(id, after, {
          events: (batch) => viewer.got.push(...batch.map((e) => e.seq)) > 0,
          live: () => {
            viewer.live = true;
          },
          resync: () => {
            viewer.resyncs += 1;
          },
        });
        closing.push(() => subscribed.close());
      }
    }
    await Promise.all(answers);
    await until('everybody has all', async () => {
      await there.poll();
      return viewers.every((v) => v.got.at(-1) === 3000 && v.live);
    });
    for (const { after, got } of viewers)
      expect(got).toEqual(Array.from({ length: 3000 - after }, (_, i) => after + 1 + i));
    for (const close of closing) close();
    // A reader that cannot take more is told where it stands, and dropped.
    const slow = { got: 0, resync: 0 };
    await here.subscribe(id, 0, {
      events: (batch) => {
        slow.got += batch.length;
        return slow.got < 2000;
      },
      live: () => undefined,
      resync: (seq) => {
        slow.resync = seq;
      },
    });
    await until('dropped', () => slow.resync > 0);
    expect(slow).toEqual({ got: 2000, resync: 2000 });
  });
});
