import type pg from 'pg';
import type { LinkClaim } from '../ports.ts';
import { OpenTexts, openTextsOf } from './fold.ts';

type Sql = Pick<pg.Pool, 'query'>;

/** The end of a session's log, as the raise of its epoch left it. */
export interface Head {
  readonly epoch: number;
  readonly lastSeq: number;
  readonly sourceId: string | null;
  readonly lastSourceSeq: number;
  readonly open: OpenTexts;
}

/**
 * Takes the session over: every older writer is fenced from now on. The row lock waits for a group that is being committed, so what this returns is the
 * result of all that the older writer stored. Another source's numbers start again at 1: its count is reset in the same statement.
 * `lost`: the source that was counted is gone, and the next one is not known yet. Null: no such session, or what it was to be taken over under does not hold:
 * that process having the runner's link by that claim, or the session being written in that epoch.
 */
export async function raiseEpoch(
  pool: Sql,
  sessionId: string,
  sourceId: string | null,
  lost = false,
  under: { claim?: LinkClaim; epoch?: number } = {},
): Promise<(Head & { previousSourceId: string | null }) | null> {
  const { claim } = under;
  const { rows } = await pool.query<{
    epoch: number;
    last_seq: number;
    previous: string | null;
    source_id: string | null;
    last_source_seq: number;
    open_from: number | null;
  }>(
    `with old as (select session_id, source_id from session_head where session_id = $1 for no key update)
     update session_head h set epoch = h.epoch + 1, batch = 0,
       last_source_seq = case when not $3 and ($2::uuid is null or h.source_id = $2) then h.last_source_seq else 0 end,
       source_id = case when $3 then null else coalesce($2, h.source_id) end
     from old where h.session_id = old.session_id and ($4::int is null or h.epoch = $4)
       and ($5::uuid is null or exists (select 1 from runner r where r.id = $5 and r.replica_id = $6 and r.last_seen_at = $7::timestamptz for share))
     returning h.epoch, h.last_seq::float8 as last_seq, h.last_source_seq::float8 as last_source_seq,
       h.source_id, old.source_id as previous, h.open_from::float8 as open_from`,
    [
      ...[sessionId, sourceId, lost, under.epoch ?? null],
      ...[claim?.runnerId ?? null, claim?.replicaId ?? null, claim?.since ?? null],
    ],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return {
    epoch: row.epoch,
    lastSeq: row.last_seq,
    sourceId: row.source_id,
    previousSourceId: row.previous,
    lastSourceSeq: row.last_source_seq,
    open:
      row.open_from === null
        ? new OpenTexts()
        : await readOpenTexts(pool, sessionId, row.open_from),
  };
}

/** In the transaction that raised the epoch: the journal has nothing up to `n` any more, and is counted on from there. Never back: false when it was counted that far already. */
export async function skipSource(sql: Sql, sessionId: string, n: number): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update session_head set last_source_seq = $2 where session_id = $1 and last_source_seq < $2`,
    [sessionId, n],
  );
  return rowCount === 1;
}

/**
 * For the `where` of a row that only the session's writer writes; $1 is the session. The head is locked: a take-over waits for what is written here, or is seen.
 * So a process that was frozen in the middle of a job, for however long, writes nothing of it after the thaw.
 */
export const fence = (epoch: string): string =>
  `exists (select 1 from session_head f where f.session_id = $1 and f.epoch = ${epoch}::int for share)`;

export async function readEpoch(pool: Sql, sessionId: string): Promise<number | null> {
  const { rows } = await pool.query<{ epoch: number }>(
    `select epoch from session_head where session_id = $1`,
    [sessionId],
  );
  return rows[0]?.epoch ?? null;
}

/** Meets the rows since the oldest open text began: one message's worth. Parsed here: `->>` refuses a document for one escaped U+0000 in it. */
async function readOpenTexts(pool: Sql, sessionId: string, openFrom: number): Promise<OpenTexts> {
  const { rows } = await pool.query<{
    seq: number;
    kind: string;
    turn_id: string | null;
    payload: { messageId: string; text?: string };
  }>(
    `select seq::float8 as seq, kind, turn_id, payload
       from session_event
      where session_id = $1 and seq >= $2 and kind in ('message.delta', 'thought.delta', 'message', 'thought')
      order by seq`,
    [sessionId, openFrom],
  );
  return openTextsOf(
    rows.map((row) => ({
      seq: row.seq,
      kind: row.kind,
      turnId: row.turn_id,
      messageId: row.payload.messageId,
      text: row.payload.text ?? '',
    })),
  );
}
