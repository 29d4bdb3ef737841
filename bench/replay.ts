/**
 * Replay of a long log: every event read in pages and made into the JSON text that readers get, against one bare `pg` query that gives objects.
 *
 *   node bench/replay.ts [--events=10000] [--rounds=20]
 */
import pg from 'pg';
import { createEventReader } from '../control-plane/src/sessions/log/replay.ts';
import { openBenchDatabase } from './support/database.ts';
import { option, report } from './support/report.ts';
import { median, summary } from './support/stats.ts';

const events = option('events', 10_000);
const rounds = option('rounds', 20);

await using database = await openBenchDatabase();
const [id = ''] = await database.newHeads(1);
await database.pool.query(
  `insert into session_event (session_id, seq, at, epoch, kind, payload)
   select $1, n, now(), 1, 'tool',
     json_build_object('toolCallId', 'call-' || n, 'text', repeat('lorem ipsum dolor sit amet ', 9))
   from generate_series(1, $2::int) as n`,
  [id, events],
);
await database.pool.query(`update session_head set last_seq = $2 where session_id = $1`, [
  id,
  events,
]);
await database.pool.query('vacuum analyze session_event');

// One connection each, as a page is read by one.
const pool = new pg.Pool({ connectionString: database.url, max: 1 });
const reader = createEventReader(pool);
const client = await database.connect();

async function ours(): Promise<number> {
  let count = 0;
  for (let after = 0; ;) {
    const page = await reader.page(id, after, events);
    count += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < 1000) return count;
    after = last.seq;
  }
}
async function bare(): Promise<number> {
  const { rows } = await client.query<{ seq: string }>({
    name: 'bare',
    text: `select session_id, seq, at, kind, turn_id, payload from session_event
            where session_id = $1 order by seq`,
    values: [id],
  });
  return rows.length;
}

const times = { ours: [] as number[], bare: [] as number[], tail: [] as number[] };
for (let round = -3; round < rounds; round++)
  for (const [name, work, count] of [
    ['bare', bare, events],
    ['ours', ours, events],
    ['tail', async () => (await reader.before(id, Number.MAX_SAFE_INTEGER, 100)).length, 100],
  ] as const) {
    const startedAt = performance.now();
    const found = await work();
    if (found !== count) throw new Error(`${name} gave ${String(found)} events`);
    if (round >= 0) times[name].push(performance.now() - startedAt);
  }
await pool.end();
await client.end();
report(
  'replay',
  [
    {
      what: `bare pg, ${String(events)} rows as objects, p50`,
      measured: median(times.bare),
      unit: 'ms',
    },
    { what: 'replay as frame text, p50', measured: median(times.ours), unit: 'ms' },
    { what: 'the same, p99', measured: summary(times.ours).p99, unit: 'ms' },
    {
      what: 'replay / bare',
      measured: median(times.ours.map((ms, i) => ms / (times.bare[i] ?? Number.NaN))),
      unit: '×',
      target: { atMost: 1 },
    },
    { what: 'tail of 100, p50', measured: median(times.tail), unit: 'ms' },
  ],
  { bare: summary(times.bare), replay: summary(times.ours) },
);
