import type { ContentBlock, Turn, TurnState, UsageTotals } from '@berth/contract';
import type pg from 'pg';
import type { Actor } from '../identity/index.ts';
import type { EndedTurn } from './ends.ts';
import { fence } from './log/heads.ts';
import { holdsQueue, inFlight, statesBefore, type TurnEvent } from './turn.ts';

type Sql = Pick<pg.Pool, 'query'>;

export interface TurnRow {
  id: string;
  session_id: string;
  team_id: string;
  state: TurnState;
  position: number | null;
  prompt: ContentBlock[];
  prompt_hash: Buffer;
  by_id: string;
  by_name: string;
  resends: number;
  created_at: Date;
  sent_at: Date | null;
  accepted_at: Date | null;
  ended_at: Date | null;
  cancel_requested_at: Date | null;
  stop_reason: string | null;
  error: { code: string; detail: string } | null;
  usage: UsageTotals | null;
  version: number;
}

/** `position` on the wire is the place in the queue, from 0; the column holds fractions. */
const columns = `t.id, t.session_id, t.team_id, t.state, t.prompt, t.prompt_hash, t.by_id, t.by_name, t.resends,
  t.created_at, t.sent_at, t.accepted_at, t.ended_at, t.cancel_requested_at, t.stop_reason, t.error, t.usage, t.version,
  case when t.state = 'queued' then (select count(1)::int from turn q where q.session_id = t.session_id and q.state = 'queued'
    and (q.position, q.created_at, q.id) < (t.position, t.created_at, t.id)) end as position`;

export function turnView(row: TurnRow): Turn {
  const { position, sent_at, accepted_at, ended_at, stop_reason, error, usage } = row;
  return {
    id: row.id,
    sessionId: row.session_id,
    state: row.state,
    prompt: row.prompt,
    by: { id: row.by_id, name: row.by_name },
    createdAt: row.created_at.toISOString(),
    ...(position === null ? {} : { position }),
    ...(sent_at === null ? {} : { sentAt: sent_at.toISOString() }),
    ...(accepted_at === null ? {} : { acceptedAt: accepted_at.toISOString() }),
    ...(ended_at === null ? {} : { endedAt: ended_at.toISOString() }),
    ...(stop_reason === null ? {} : { stopReason: stop_reason }),
    ...(error === null ? {} : { error }),
    ...(usage === null ? {} : { usage }),
  };
}

/** Null: that id was there before. Goes to the end of the queue. */
export async function insertTurn(
  sql: Sql,
  turn: { id: string; sessionId: string; prompt: ContentBlock[]; promptHash: Buffer; at: Date },
  actor: Pick<Actor, 'teamId' | 'userId' | 'userName'>,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `insert into turn (id, session_id, team_id, position, prompt, prompt_hash, by_id, by_name, created_at)
     select $1, $2, $3, coalesce(max(q.position), 0) + 1, $4, $5, $6, $7, $8
       from turn q where q.session_id = $2 and q.state = 'queued'
     on conflict (session_id, id) do nothing`,
    [
      turn.id,
      turn.sessionId,
      actor.teamId,
      JSON.stringify(turn.prompt),
      turn.promptHash,
      actor.userId,
      actor.userName,
      turn.at,
    ],
  );
  return rowCount === 1;
}

export async function readTurn(
  sql: Sql,
  sessionId: string,
  turnId: string,
): Promise<TurnRow | null> {
  const { rows } = await sql.query<TurnRow>(
    `select ${columns} from turn t where t.session_id = $1 and t.id = $2`,
    [sessionId, turnId],
  );
  return rows[0] ?? null;
}

export async function countQueued(sql: Sql, sessionId: string): Promise<number> {
  const { rows } = await sql.query<{ n: number }>(
    `select count(1)::int as n from turn where session_id = $1 and state = 'queued'`,
    [sessionId],
  );
  return rows[0]?.n ?? 0;
}

/** Newest first; the cursor is the last turn's id, whose time of creation is looked up: a client's id may be of any version. */
export async function listTurns(
  sql: Sql,
  query: { teamId: string; sessionId: string; state?: TurnState; cursor?: string; limit: number },
): Promise<TurnRow[]> {
  const { rows } = await sql.query<TurnRow>(
    `select ${columns} from turn t
      where t.session_id = $1 and t.team_id = $2 and ($3::text is null or t.state = $3)
        and ($4::uuid is null or (t.created_at, t.id) <
          (select c.created_at, c.id from turn c where c.session_id = $1 and c.id = $4))
      order by t.created_at desc, t.id desc limit $5`,
    [query.sessionId, query.teamId, query.state ?? null, query.cursor ?? null, query.limit],
  );
  return rows;
}

/**
 * The one way a turn changes state: compare-and-set on the states in which the event applies. Null: it did not apply.
 * Withdrawing and sending are both guarded by `state = 'queued'`, so that they exclude each other.
 */
export async function moveTurn(
  sql: Sql,
  sessionId: string,
  turnId: string,
  event: TurnEvent,
  to: TurnState,
  at: Date,
  details: {
    stopReason?: string;
    error?: { code: string; detail: string };
    usage?: UsageTotals;
    /** Only while the session is written in this epoch; without it, by whoever. */
    epoch?: number;
  } = {},
): Promise<TurnRow | null> {
  const ends = to === 'done' || to === 'cancelled' || to === 'failed';
  const { rows } = await sql.query<TurnRow>(
    `update turn t set state = $4, version = t.version + 1,
       accepted_at = case when $4 in ('accepted', 'running') then coalesce(t.accepted_at, $5) else t.accepted_at end,
       sent_at = case when $4 = 'sent' then $5 else t.sent_at end,
       resends = t.resends + case when $10 then 1 else 0 end,
       cancel_requested_at = case when $10 then null else t.cancel_requested_at end,
       ended_at = case when $6 then $5 else t.ended_at end,
       stop_reason = coalesce($7, t.stop_reason), error = coalesce($8::json, t.error), usage = coalesce($9::json, t.usage)
      where t.session_id = $1 and t.id = $2 and t.state = any($3::text[]) and ($11::int is null or ${fence('$11')})
      returning ${columns}`,
    [
      sessionId,
      turnId,
      statesBefore(event),
      to,
      at,
      ends,
      details.stopReason ?? null,
      details.error === undefined ? null : JSON.stringify(details.error),
      details.usage === undefined ? null : JSON.stringify(details.usage),
      event.kind === 'settled' && event.answer === 'resend',
      details.epoch ?? null,
    ],
  );
  return rows[0] ?? null;
}

/** The first of the queue becomes `sent`, unless another turn holds the queue. Null: nothing to send, or another process writes the session by now. */
export async function consumeNext(
  sql: Sql,
  sessionId: string,
  epoch: number,
  at: Date,
): Promise<TurnRow | null> {
  const { rows } = await sql.query<TurnRow>(
    `update turn t set state = 'sent', sent_at = $2, version = t.version + 1
      where t.session_id = $1 and t.state = 'queued'
        and t.id = (select q.id from turn q where q.session_id = $1 and q.state = 'queued'
                     order by q.position, q.created_at, q.id limit 1)
        and not exists (select 1 from turn o where o.session_id = $1 and o.state = any($3::text[]))
        and ${fence('$4')}
      returning ${columns}`,
    [sessionId, at, [...holdsQueue], epoch],
  );
  return rows[0] ?? null;
}

/** Sent again by a person. */
export async function resentTurns(
  sql: Sql,
  sessionId: string,
): Promise<{ id: string; resends: number }[]> {
  const { rows } = await sql.query<{ id: string; resends: number }>(
    `select id, resends from turn where session_id = $1 and resends > 0`,
    [sessionId],
  );
  return rows;
}

export async function turnsInFlight(sql: Sql, sessionId: string): Promise<TurnRow[]> {
  const { rows } = await sql.query<TurnRow>(
    `select ${columns} from turn t where t.session_id = $1 and t.state = any($2::text[]) order by t.sent_at`,
    [sessionId, [...inFlight]],
  );
  return rows;
}

/** Whose delivery nobody can know. */
export async function turnsInQuestion(sql: Sql, sessionId: string): Promise<TurnRow[]> {
  const { rows } = await sql.query<TurnRow>(
    `select ${columns} from turn t where t.session_id = $1 and t.state = 'unknown'`,
    [sessionId],
  );
  return rows;
}

/** Stands until the turn ends: whoever hands the turn to a runner again asks it to stop again. Returns the turns that it is about. */
export async function requestCancel(sql: Sql, sessionId: string, at: Date): Promise<TurnRow[]> {
  const { rows } = await sql.query<TurnRow>(
    `update turn t set cancel_requested_at = coalesce(t.cancel_requested_at, $2)
      where t.session_id = $1 and t.state = any($3::text[]) returning ${columns}`,
    [sessionId, at, [...inFlight]],
  );
  return rows;
}

/** Null: it is no longer queued. */
export async function editQueued(
  sql: Sql,
  sessionId: string,
  turnId: string,
  version: number | null,
  change: { prompt?: ContentBlock[]; promptHash?: Buffer; position?: number },
): Promise<TurnRow | null> {
  // Between the two that will be its neighbours: fractions make room without touching the other rows.
  const { rows } = await sql.query<TurnRow>(
    `with others as (
       select q.position as p, row_number() over (order by q.position, q.created_at, q.id) - 1 as i
         from turn q where q.session_id = $1 and q.state = 'queued' and q.id <> $2
     ), place as (
       select (select max(p) from others where i < $5) as lower, (select min(p) from others where i >= $5) as upper
     )
     update turn t set version = t.version + 1, prompt = coalesce($3::json, t.prompt), prompt_hash = coalesce($4, t.prompt_hash),
       position = case when $5::int is null then t.position
         else (select case when lower is null and upper is null then t.position when lower is null then upper - 1
           when upper is null then lower + 1 else (lower + upper) / 2 end from place) end
      where t.session_id = $1 and t.id = $2 and t.state = 'queued' and ($6::int is null or t.version = $6)
      returning ${columns}`,
    [
      sessionId,
      turnId,
      change.prompt === undefined ? null : JSON.stringify(change.prompt),
      change.promptHash ?? null,
      change.position ?? null,
      version,
    ],
  );
  return rows[0] ?? null;
}

/** An answer holds so much of what was said; the log has all of it. */
const replyBytesMax = 4 * 1024 * 1024;

/** What the agent said in a turn, from the log; of very much the end. Meets the rows of the session from the turn's first event on. */
export async function replyOf(
  sql: Sql,
  sessionId: string,
  turnId: string,
  bytesMax = replyBytesMax,
): Promise<string> {
  const { rows } = await sql.query<{
    payload: { content?: { type: string; text?: string }[] };
    whole: boolean;
  }>(
    `with said as materialized (
       select e.seq, sum(octet_length(e.payload::text)) over (order by e.seq desc) as bytes
         from session_event e
        where e.session_id = $1 and e.turn_id = $2 and e.kind = 'message')
     select e.payload, (select coalesce(max(bytes), 0) <= $3 from said) as whole
       from said join session_event e on e.session_id = $1 and e.seq = said.seq
      where said.bytes <= $3 or said.seq = (select max(seq) from said)
      order by e.seq`,
    [sessionId, turnId, bytesMax],
  );
  const cut = rows[0]?.whole === false;
  const said = rows
    .map(({ payload }) =>
      (payload.content ?? [])
        .map((block) => (block.type === 'text' ? (block.text ?? '') : ''))
        .join(''),
    )
    .filter((text) => text !== '');
  return [...(cut ? ['[The beginning is left out here; the log has it.]'] : []), ...said].join(
    '\n\n',
  );
}

/** States of the ends that the log has of a turn. Parsed here: `->>` refuses a document for one escaped U+0000, and an agent's error may hold one. */
export async function toldEnds(sql: Sql, sessionId: string, turnId: string): Promise<string[]> {
  const { rows } = await sql.query<{ payload: { state: string } }>(
    `select e.payload from session_event e where e.session_id = $1 and e.turn_id = $2 and e.kind = 'turn.ended'`,
    [sessionId, turnId],
  );
  return rows.map(({ payload }) => payload.state);
}

/** Every turn that is over or in question, with the ends that the log has of it. Meets all events of the session. */
export async function endedTurns(sql: Sql, sessionId: string): Promise<EndedTurn[]> {
  const { rows } = await sql.query<Omit<EndedTurn, 'told'> & { told: { state: string }[] | null }>(
    `select t.id, t.state, t.resends, t.sent_at is not null as sent, t.accepted_at is not null as accepted,
        (select json_agg(e.payload) from session_event e
          where e.session_id = $1 and e.turn_id = t.id and e.kind = 'turn.ended') as told
       from turn t where t.session_id = $1 and (t.ended_at is not null or t.state = 'unknown')
      order by t.position, t.created_at`,
    [sessionId],
  );
  return rows.map(({ told, ...turn }) => ({
    ...turn,
    told: (told ?? []).map(({ state }) => state),
  }));
}

/** Has the log an event of this kind for this turn already? */
export async function turnHasEvent(
  sql: Sql,
  sessionId: string,
  turnId: string,
  kind: string,
): Promise<boolean> {
  const { rows } = await sql.query(
    `select 1 from session_event e where e.session_id = $1 and e.turn_id = $2 and e.kind = $3 limit 1`,
    [sessionId, turnId, kind],
  );
  return rows.length > 0;
}
