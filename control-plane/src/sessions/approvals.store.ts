import type { Approval, Payload } from '@berth/contract';
import type pg from 'pg';
import { inFlight } from './turn.ts';

type Sql = Pick<pg.Pool, 'query'>;

export interface ApprovalRow {
  id: string;
  team_id: string;
  session_id: string;
  session_title: string;
  session_by_id: string;
  agent_name: string;
  turn_id: string | null;
  tool_call_id: string | null;
  about: 'delivery' | null;
  revision: number;
  state: Approval['state'];
  title: string;
  facts: Approval['facts'] | null;
  options: Approval['options'];
  option_id: string | null;
  note: string | null;
  decided_by_id: string | null;
  decided_by_name: string | null;
  decided_at: Date | null;
  deadline: Date | null;
  created_at: Date;
}

const columns = `p.id, p.team_id, p.session_id, s.title as session_title, s.created_by_id as session_by_id, a.name as agent_name, p.turn_id, p.tool_call_id, p.about, p.revision,
  p.state, p.title, p.facts, p.options, p.option_id, p.note, p.decided_by_id, p.decided_by_name, p.decided_at, p.deadline, p.created_at`;
const tables = `approval p join session s on s.id = p.session_id and s.deleted_at is null join agent a on a.id = s.agent_id`;

export function approvalView(row: ApprovalRow): Approval {
  const { turn_id, tool_call_id, about, facts, option_id, note, decided_at, deadline } = row;
  const by =
    row.decided_by_id === null || row.decided_by_name === null
      ? null
      : { id: row.decided_by_id, name: row.decided_by_name };
  return {
    id: row.id,
    sessionId: row.session_id,
    sessionTitle: row.session_title,
    agentName: row.agent_name,
    revision: row.revision,
    state: row.state,
    title: row.title,
    options: row.options,
    createdAt: row.created_at.toISOString(),
    ...(turn_id === null ? {} : { turnId: turn_id }),
    ...(tool_call_id === null ? {} : { toolCallId: tool_call_id }),
    ...(about === null ? {} : { about }),
    ...(facts === null || facts === undefined ? {} : { facts }),
    ...(option_id === null ? {} : { optionId: option_id }),
    ...(note === null ? {} : { note }),
    ...(by === null ? {} : { decidedBy: by }),
    ...(decided_at === null ? {} : { decidedAt: decided_at.toISOString() }),
    ...(deadline === null ? {} : { deadline: deadline.toISOString() }),
  };
}

/** The row exists before anybody is told. A repeated request finds its row again. */
export async function insertApproval(
  sql: Sql,
  at: { teamId: string; sessionId: string; turnId: string | null; createdAt: Date },
  payload: Omit<Payload<'approval.requested'>, 'revision'>,
): Promise<number | null> {
  await sql.query(
    `insert into approval (id, team_id, session_id, turn_id, tool_call_id, title, facts, options, deadline, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing`,
    [
      payload.approvalId,
      at.teamId,
      at.sessionId,
      at.turnId,
      payload.toolCallId ?? null,
      payload.title,
      payload.facts === undefined ? null : JSON.stringify(payload.facts),
      JSON.stringify(payload.options),
      payload.deadline ?? null,
      at.createdAt,
    ],
  );
  const { rows } = await sql.query<{ revision: number }>(
    `select revision from approval where id = $1 and session_id = $2`,
    [payload.approvalId, at.sessionId],
  );
  return rows[0]?.revision ?? null;
}

export async function readApproval(
  sql: Sql,
  teamId: string,
  id: string,
): Promise<ApprovalRow | null> {
  const { rows } = await sql.query<ApprovalRow>(
    `select ${columns} from ${tables} where p.id = $1 and p.team_id = $2`,
    [id, teamId],
  );
  return rows[0] ?? null;
}

/** What waits comes oldest first, as an inbox; everything else newest first. Ids sort by birth. */
export async function listApprovals(
  sql: Sql,
  query: {
    teamId: string;
    state?: Approval['state'];
    sessionId?: string;
    cursor?: string;
    limit: number;
  },
): Promise<ApprovalRow[]> {
  const waiting = query.state === 'waiting';
  const { rows } = await sql.query<ApprovalRow>(
    `select ${columns} from ${tables}
      where p.team_id = $1 and ($2::text is null or p.state = $2) and ($3::uuid is null or p.session_id = $3)
        and ($4::uuid is null or (p.created_at, p.id) ${waiting ? '>' : '<'} (select c.created_at, c.id from approval c where c.id = $4 and c.team_id = $1))
      order by p.created_at ${waiting ? 'asc' : 'desc'}, p.id ${waiting ? 'asc' : 'desc'} limit $5`,
    [query.teamId, query.state ?? null, query.sessionId ?? null, query.cursor ?? null, query.limit],
  );
  return rows;
}

/** First decision wins. False: it was not waiting, or its revision is another. */
export async function decideApproval(
  sql: Sql,
  decision: {
    teamId: string;
    id: string;
    revision: number;
    optionId: string;
    note: string | null;
    by: { id: string; name: string };
    at: Date;
  },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update approval set state = 'decided', revision = revision + 1, option_id = $4, note = $5, decided_by_id = $6, decided_by_name = $7, decided_at = $8
      where id = $1 and team_id = $2 and revision = $3 and state = 'waiting'`,
    [
      decision.id,
      decision.teamId,
      decision.revision,
      decision.optionId,
      decision.note,
      decision.by.id,
      decision.by.name,
      decision.at,
    ],
  );
  return rowCount === 1;
}

/** The runner's word does not undo a decision: `state` is what it is afterwards. Null: no such approval of this session. */
export async function resolveApproval(
  sql: Sql,
  sessionId: string,
  id: string,
  state: 'superseded' | 'expired',
  at: Date,
): Promise<{ moved: boolean; state: Approval['state'] } | null> {
  const { rowCount } = await sql.query(
    `update approval set state = $3, revision = revision + 1, decided_at = $4 where id = $1 and session_id = $2 and state = 'waiting'`,
    [id, sessionId, state, at],
  );
  const { rows } = await sql.query<{ state: Approval['state'] }>(
    `select state from approval where id = $1 and session_id = $2`,
    [id, sessionId],
  );
  return rows[0] === undefined ? null : { moved: rowCount === 1, state: rows[0].state };
}

/** Nobody waits for the questions of a turn that is over. Returns those that still stood. */
export async function supersedeOfTurn(
  sql: Sql,
  sessionId: string,
  turnId: string,
  at: Date,
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `update approval set state = 'superseded', revision = revision + 1, decided_at = $3
      where session_id = $1 and turn_id = $2 and state = 'waiting' and about is null returning id`,
    [sessionId, turnId, at],
  );
  return rows.map(({ id }) => id);
}

export async function resolutionHasEvent(
  sql: Sql,
  sessionId: string,
  id: string,
): Promise<boolean> {
  const { rows } = await sql.query(
    `select 1 from session_event e
      where e.session_id = $1 and e.kind = 'approval.resolved' and e.payload ->> 'approvalId' = $2 limit 1`,
    [sessionId, id],
  );
  return rows.length > 0;
}

export async function markDelivered(sql: Sql, ids: readonly string[], at: Date): Promise<void> {
  await sql.query(
    `update approval set delivered_at = $2 where id = any($1::uuid[]) and delivered_at is null`,
    [ids, at],
  );
}

/** Decisions that the runner may not have: never handed over, or handed over while the turn that waits for them still runs. */
export async function decisionsToDeliver(
  sql: Sql,
  sessionId: string,
): Promise<{ id: string; option_id: string; note: string | null }[]> {
  const { rows } = await sql.query<{ id: string; option_id: string; note: string | null }>(
    `select p.id, p.option_id, p.note from approval p
      where p.session_id = $1 and p.state = 'decided' and p.option_id is not null and p.about is null
        and (p.delivered_at is null or exists (select 1 from turn t where t.session_id = $1 and t.id = p.turn_id and t.state = any($2::text[])))
      order by p.decided_at`,
    [sessionId, [...inFlight]],
  );
  return rows;
}

/** Decided or resolved in the row, but the process died before the log had it. */
export async function resolutionsWithoutEvent(sql: Sql, sessionId: string): Promise<ApprovalRow[]> {
  const { rows } = await sql.query<ApprovalRow>(
    `select ${columns} from ${tables}
      where p.session_id = $1 and p.state <> 'waiting' and p.about is null
        and not exists (select 1 from session_event e where e.session_id = $1 and e.kind = 'approval.resolved' and e.payload ->> 'approvalId' = p.id::text)`,
    [sessionId],
  );
  return rows;
}
