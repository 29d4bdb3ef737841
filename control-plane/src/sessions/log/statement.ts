import type pg from 'pg';
import { int4Array, int8Array, jsonArray, textArray, timestampArray, uuidArray } from './binary.ts';
import type { Entry } from './entry.ts';

/** What one group appends to one session. */
export interface Batch {
  readonly sessionId: string;
  readonly epoch: number;
  /** Counts up from 1 in each epoch; the same number again means the same events again. */
  readonly batch: number;
  readonly sourceFrom: number | null;
  readonly sourceTo: number | null;
  /** First delta of the oldest text that streams after this batch; null: none. */
  readonly openFrom: number | null;
  readonly entries: readonly Entry[];
}
/**
 * `ok`: stored from `from` on. `again`: was stored before, the reply had been lost; `from` is that of the first time.
 * `fenced`: another epoch, or no such session. `conflict`: the source's number is stored already: our count of it is wrong.
 */
export interface Outcome {
  readonly result: 'ok' | 'again' | 'fenced' | 'conflict';
  readonly from: number;
}

/**
 * Fence, sequence and repeat for a whole group of sessions, in one round trip. The heads are locked in id order (no deadlock between writers), then
 * the epoch is compared, then the batch number, then the source's; the rows get their numbers under the head's lock, which is held until the
 * commit, so that within a session order of numbers = order of commits: no reader ever sees 5 before 4.
 * Served by the primary keys of session_head and session_event. Measured on 2 cores: 20 sessions × 5 events 84–91 thousand events/s.
 */
const appendSql = `
with s as materialized (
  select s.id, s.epoch, s.batch, s.n, s.off, s.src_from, s.src_to, s.open_from, s.i
  from unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[])
    with ordinality as s(id, epoch, batch, n, off, src_from, src_to, open_from, i)
), l as materialized (
  select s.id, s.epoch, s.batch, s.n, s.off, s.src_to, s.open_from, s.i, h.last_seq, h.batch_from,
    h.batch >= s.batch as again, s.src_from <= h.last_source_seq as conflict
  from session_head h join s on h.session_id = s.id and h.epoch = s.epoch
  order by h.session_id
  for no key update of h
), ok as materialized (
  select id, epoch, batch, n, off, src_to, open_from, i, last_seq from l where not again and conflict is not true
), u as (
  update session_head h set last_seq = ok.last_seq + ok.n, batch = ok.batch, batch_from = ok.last_seq + 1,
    last_source_seq = greatest(h.last_source_seq, ok.src_to), open_from = ok.open_from, last_activity_at = now()
  from ok where h.session_id = ok.id
), ins as (
  insert into session_event(session_id, seq, at, epoch, kind, turn_id, payload, raw)
  select ok.id, ok.last_seq + v.ord - ok.off, v.at, ok.epoch, v.kind, v.turn_id, v.payload, v.raw
  from unnest($9::int[], $10::text[], $11::json[], $12::timestamptz[], $13::uuid[], $14::text[])
    with ordinality as v(i, kind, payload, at, turn_id, raw, ord)
  join ok on ok.i = v.i
)
select s.i::int as i,
  case when l.id is null then 'fenced' when l.again then 'again' when l.conflict then 'conflict' else 'ok' end as result,
  coalesce(case when l.again then l.batch_from else l.last_seq + 1 end, 0)::float8 as "from"
from s left join l on l.i = s.i order by s.i`;

/** One outcome per batch, in the order given. */
export async function append(client: pg.Client, group: readonly Batch[]): Promise<Outcome[]> {
  const offsets: number[] = [];
  const owner: number[] = [];
  const entries: Entry[] = [];
  group.forEach((batch, i) => {
    offsets.push(entries.length);
    for (const entry of batch.entries) {
      owner.push(i + 1);
      entries.push(entry);
    }
  });
  const { rows } = await client.query<{ i: number } & Outcome>({
    name: 'session-append',
    text: appendSql,
    values: [
      uuidArray(group.map((b) => b.sessionId)),
      int4Array(group.map((b) => b.epoch)),
      int8Array(group.map((b) => b.batch)),
      int4Array(group.map((b) => b.entries.length)),
      int4Array(offsets),
      int8Array(group.map((b) => b.sourceFrom)),
      int8Array(group.map((b) => b.sourceTo)),
      int8Array(group.map((b) => b.openFrom)),
      int4Array(owner),
      textArray(entries.map((e) => e.kind)),
      jsonArray(entries.map((e) => e.payload)),
      timestampArray(entries.map((e) => e.at)),
      uuidArray(entries.map((e) => e.turnId ?? null)),
      textArray(entries.map((e) => e.raw ?? null)),
    ],
  });
  return rows;
}
