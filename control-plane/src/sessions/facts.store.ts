import type { SandboxPhase, SessionStatus, TurnState } from '@berth/contract';
import type { AgentOfSession } from './sessions.store.ts';
import type { Sql } from './sql.ts';
import { holdsQueue } from './turn.ts';

/** Rows of sessions as the machinery sees them: not limited to a team, because no person asks. */
export interface SessionState {
  id: string;
  team_id: string;
  status: SessionStatus;
  reason: string | null;
  desired: 'running' | 'suspended' | 'removed';
  generation: number;
  phase: SandboxPhase;
  phase_detail: string | null;
  holder: 'chat' | 'terminal';
  await_archive: boolean;
  agent_session_id: string | null;
  mode: string;
  model: string | null;
  deleted: boolean;
  turn: TurnState | null;
  queued: number;
  waiting_approvals: number;
}

/** One row by primary key, three short index ranges. */
export async function readState(sql: Sql, sessionId: string): Promise<SessionState | null> {
  const { rows } = await sql.query<SessionState>({
    name: 'session-state',
    text: `select s.id, s.team_id, s.status, s.reason, s.desired, s.generation, s.phase, s.phase_detail, s.holder, s.await_archive,
        s.agent_session_id, s.mode, s.model, s.deleted_at is not null as deleted,
        (select t.state from turn t where t.session_id = s.id and t.state = any($2::text[]) order by t.state = 'unknown' desc limit 1) as turn,
        (select count(1)::int from turn t where t.session_id = s.id and t.state = 'queued') as queued,
        (select count(1)::int from approval p where p.session_id = s.id and p.state = 'waiting') as waiting_approvals
       from session s where s.id = $1`,
    values: [sessionId, [...holdsQueue]],
  });
  return rows[0] ?? null;
}

export async function writeStatus(
  sql: Sql,
  sessionId: string,
  status: { status: SessionStatus; reason: string | null },
  at: Date,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update session set status = $2, reason = $3, status_since = case when status = $2 then status_since else $4 end
      where id = $1 and (status, reason) is distinct from ($2, $3)`,
    [sessionId, status.status, status.reason, at],
  );
  return rowCount === 1;
}

export async function writePhase(
  sql: Sql,
  sessionId: string,
  phase: { phase: SandboxPhase; detail: string | null; isolated?: boolean | undefined },
): Promise<void> {
  await sql.query(
    `update session set phase = $2, phase_detail = $3, isolated = coalesce($4, isolated) where id = $1`,
    [sessionId, phase.phase, phase.detail, phase.isolated ?? null],
  );
}

/** Another sandbox takes the place of this generation's; its disk stays. Said twice, it is done once. */
export async function replaceSandbox(
  sql: Sql,
  sessionId: string,
  generation: number,
): Promise<void> {
  await sql.query(
    `update session set generation = generation + 1 where id = $1 and generation = $2 and deleted_at is null`,
    [sessionId, generation],
  );
}

/** One column each, by name; every write may be repeated. */
export async function writeFields(
  sql: Sql,
  sessionId: string,
  fields: {
    agentSessionId?: string | undefined;
    currentTurnId?: string | null;
    mode?: string;
    holder?: 'chat' | 'terminal' | undefined;
    changes?: unknown;
    isolated?: boolean;
    runnerId?: string;
  },
): Promise<void> {
  await sql.query(
    `update session set agent_session_id = coalesce($2, agent_session_id),
       current_turn_id = case when $3 then $4 else current_turn_id end, mode = coalesce($5, mode),
       holder = coalesce($6, holder), changes = coalesce($7::json, changes), isolated = coalesce($8, isolated), runner_id = coalesce($9, runner_id)
      where id = $1`,
    [
      sessionId,
      fields.agentSessionId ?? null,
      fields.currentTurnId !== undefined,
      fields.currentTurnId ?? null,
      fields.mode ?? null,
      fields.holder ?? null,
      fields.changes === undefined ? null : JSON.stringify(fields.changes),
      fields.isolated ?? null,
      fields.runnerId ?? null,
    ],
  );
}

/** With its event, so that an open row always has a terminal behind it. The first end stands. */
export async function endTerminal(
  sql: Sql,
  sessionId: string,
  end: { terminalId: string; exitCode?: number | undefined; reason?: string | undefined },
  at: Date,
): Promise<void> {
  await sql.query(
    `update terminal set state = 'closed', closed_at = $3, exit_code = $4, reason = $5
      where session_id = $1 and id = $2 and state = 'open'`,
    [sessionId, end.terminalId, at, end.exitCode ?? null, end.reason ?? null],
  );
}

/**
 * Tokens and costs of a session are the sum of its `usage` events; the row only holds the result, and how far it has counted. Whoever counts, and however often, counts
 * each event once: the row's lock is taken before it is read how far the one before came, and numbers are in the order of their commits. Meets the events since the last usage.
 */
export async function countUsage(sql: Sql, sessionId: string): Promise<void> {
  await sql.query(
    `with counted as materialized (select s.usage_seq from session s where s.id = $1 for no key update),
     u as materialized (
       select sum((e.payload ->> 'inputTokens')::bigint) as i, sum((e.payload ->> 'outputTokens')::bigint) as o,
              coalesce(sum((e.payload ->> 'costUsd')::numeric), 0) as c, max(e.seq) as last
         from counted, session_event e
        where e.session_id = $1 and e.kind = 'usage' and e.seq > counted.usage_seq)
     update session s set input_tokens = s.input_tokens + u.i, output_tokens = s.output_tokens + u.o, cost_usd = s.cost_usd + u.c, usage_seq = u.last
       from u where s.id = $1 and u.last is not null`,
    [sessionId],
  );
}

/** Queued in the table, but the process died before the log had it. */
export async function queuedWithoutEvent(sql: Sql, sessionId: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select t.id from turn t where t.session_id = $1 and t.ended_at is null
       and not exists (select 1 from session_event e where e.session_id = $1 and e.turn_id = t.id and e.kind = 'turn.queued')
      order by t.position, t.created_at`,
    [sessionId],
  );
  return rows.map(({ id }) => id);
}
/** The status that readers of the log know. Read backwards by the primary key. */
export async function loggedStatus(sql: Sql, sessionId: string): Promise<string | null> {
  const { rows } = await sql.query<{ status: string }>(
    `select e.payload ->> 'status' as status from session_event e
      where e.session_id = $1 and e.kind = 'session.status' order by e.seq desc limit 1`,
    [sessionId],
  );
  return rows[0]?.status ?? null;
}

export async function readIntents(
  sql: Sql,
  sessionId: string | null,
): Promise<
  {
    sessionId: string;
    desired: 'running' | 'suspended' | 'removed';
    generation: number;
    suspending: boolean;
  }[]
> {
  const { rows } = await sql.query<{
    id: string;
    desired: 'running' | 'suspended' | 'removed';
    generation: number;
    suspending: boolean;
  }>(
    `select s.id, s.desired, s.generation, s.phase = 'suspending' as suspending from session s where $1::uuid is null or s.id = $1 order by s.id desc`,
    [sessionId],
  );
  return rows.map(({ id, ...intent }) => ({ sessionId: id, ...intent }));
}

export async function readAgentOf(sql: Sql, sessionId: string): Promise<AgentOfSession | null> {
  const { rows } = await sql.query<AgentOfSession>(
    `select a.id, a.team_id, a.harness, a.model, a.instructions, a.mode, a.repository, a.egress, a.env
       from session s join agent a on a.id = s.agent_id where s.id = $1`,
    [sessionId],
  );
  return rows[0] ?? null;
}

/** What the gateway asks of a session; null: this runner does not serve it, or it has none now. */
export async function readContextRow(
  sql: Sql,
  runnerId: string,
  sessionId: string,
): Promise<{
  team_id: string;
  model: string | null;
  agent_id: string;
  agent_model: string | null;
} | null> {
  const { rows } = await sql.query<{
    team_id: string;
    model: string | null;
    agent_id: string;
    agent_model: string | null;
  }>(
    `select s.team_id, s.model, a.id as agent_id, a.model as agent_model
       from session s join agent a on a.id = s.agent_id
      where s.id = $2 and s.runner_id = $1 and s.deleted_at is null and s.desired = 'running'`,
    [runnerId, sessionId],
  );
  return rows[0] ?? null;
}

/** Committed before the event that names it; the same output has the same id, so that a repeat finds it there. */
export async function insertBlob(
  sql: Sql,
  blob: { id: string; teamId: string; sessionId: string; mediaType: string; bytes: Uint8Array },
): Promise<void> {
  await sql.query(
    `insert into session_blob (id, team_id, session_id, media_type, bytes) values ($1, $2, $3, $4, $5) on conflict (id) do nothing`,
    [blob.id, blob.teamId, blob.sessionId, blob.mediaType, Buffer.from(blob.bytes)],
  );
}
export async function readBlob(
  sql: Sql,
  teamId: string,
  sessionId: string,
  blobId: string,
): Promise<{ mediaType: string; bytes: Uint8Array } | null> {
  const { rows } = await sql.query<{ media_type: string; bytes: Buffer }>(
    `select media_type, bytes from session_blob where id = $1 and session_id = $2 and team_id = $3`,
    [blobId, sessionId, teamId],
  );
  const row = rows[0];
  return row === undefined ? null : { mediaType: row.media_type, bytes: row.bytes };
}

/** Everything of a session whose sandbox is gone. The head goes last: while it stands, an event could still be stored. */
export async function purgeSession(sql: Sql, sessionId: string): Promise<void> {
  await sql.query(`select 1 from session_head where session_id = $1 for update`, [sessionId]);
  for (const table of [
    'session_event',
    'session_blob',
    'session_read',
    'session_command',
    'turn',
    'approval',
    'terminal',
    'egress_event',
    'session_head',
  ])
    await sql.query(`delete from ${table} where session_id = $1`, [sessionId]);
  await sql.query(`delete from session where id = $1`, [sessionId]);
}

/** Sessions that should have a runner now. */
export async function readyHere(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select id from session where phase = 'ready' and desired = 'running' and deleted_at is null`,
  );
  return rows.map(({ id }) => id);
}
