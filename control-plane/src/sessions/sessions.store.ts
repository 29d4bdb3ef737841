import type { SandboxPhase, Session, SessionStatus } from '@berth/contract';
import type { Sql } from './sql.ts';

export interface SessionRow {
  id: string;
  team_id: string;
  agent_id: string;
  agent_name: string;
  title: string;
  status: SessionStatus;
  reason: string | null;
  status_since: Date;
  desired: 'running' | 'suspended' | 'removed';
  generation: number;
  driver: string;
  phase: SandboxPhase;
  phase_detail: string | null;
  isolated: boolean;
  current_turn_id: string | null;
  cancel_requested_at: Date | null;
  mode: string;
  model: string | null;
  holder: 'chat' | 'terminal';
  changes: Session['changes'] | null;
  input_tokens: number;
  output_tokens: number;
  cost_usd: string;
  budget_limit_usd: string | null;
  created_by_id: string;
  created_by_name: string;
  created_at: Date;
  archived_at: Date | null;
  version: number;
  queued: number;
  waiting_approvals: number;
  read_seq: number;
  last_seq: number;
  last_activity_at: Date;
}

/** $1 is the team, $2 the person who reads. Counts are index-only ranges of turn(session, state) and approval(session, state). */
const columns = `s.id, s.team_id, s.agent_id, a.name as agent_name, s.title, s.status, s.reason, s.status_since, s.desired, s.generation, s.driver,
  s.phase, s.phase_detail, s.isolated, s.current_turn_id, s.mode, s.model, s.holder, s.changes, s.input_tokens::float8 as input_tokens,
  s.output_tokens::float8 as output_tokens, trim_scale(s.cost_usd)::text as cost_usd, trim_scale(s.budget_limit_usd)::text as budget_limit_usd,
  s.created_by_id, s.created_by_name, s.created_at, s.archived_at, s.version,
  (select t.cancel_requested_at from turn t where t.session_id = s.id and t.id = s.current_turn_id) as cancel_requested_at,
  (select count(1)::int from turn t where t.session_id = s.id and t.state = 'queued') as queued,
  (select count(1)::int from approval p where p.session_id = s.id and p.state = 'waiting') as waiting_approvals,
  coalesce((select r.seq from session_read r where r.session_id = s.id and r.user_id = $2), 0)::float8 as read_seq,
  h.last_seq::float8 as last_seq, greatest(h.last_activity_at, s.status_since) as last_activity_at`;
const tables = `session s join session_head h on h.session_id = s.id join agent a on a.id = s.agent_id`;

export function sessionView(row: SessionRow): Session {
  const { reason, phase_detail, current_turn_id, model, changes, budget_limit_usd } = row;
  return {
    id: row.id,
    agentId: row.agent_id,
    agentName: row.agent_name,
    title: row.title,
    status: row.status,
    statusSince: row.status_since.toISOString(),
    sandbox: {
      driver: row.driver,
      phase: row.phase,
      isolated: row.isolated,
      ...(phase_detail === null ? {} : { detail: phase_detail }),
    },
    queued: row.queued,
    waitingApprovals: row.waiting_approvals,
    unreadSeq: row.read_seq,
    lastSeq: row.last_seq,
    mode: row.mode,
    holder: row.holder,
    usage: {
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      costUsd: row.cost_usd,
    },
    createdBy: { id: row.created_by_id, name: row.created_by_name },
    createdAt: row.created_at.toISOString(),
    lastActivityAt: row.last_activity_at.toISOString(),
    version: row.version,
    ...(reason === null ? {} : { reason }),
    ...(current_turn_id === null ? {} : { currentTurnId: current_turn_id }),
    ...(row.cancel_requested_at === null
      ? {}
      : { cancelRequestedAt: row.cancel_requested_at.toISOString() }),
    ...(model === null ? {} : { model }),
    ...(changes === null || changes === undefined ? {} : { changes }),
    ...(budget_limit_usd === null
      ? {}
      : { budget: { limitUsd: budget_limit_usd, spentUsd: row.cost_usd } }),
    ...(row.archived_at === null ? {} : { archivedAt: row.archived_at.toISOString() }),
  };
}

export interface Reader {
  teamId: string;
  userId: string;
}

export async function readSession(
  sql: Sql,
  reader: Reader,
  id: string,
): Promise<SessionRow | null> {
  const { rows } = await sql.query<SessionRow>(
    `select ${columns} from ${tables} where s.team_id = $1 and s.id = $3 and s.deleted_at is null`,
    [reader.teamId, reader.userId, id],
  );
  return rows[0] ?? null;
}

/** Newest first; ids sort by birth, so the last one is the cursor. Served by session(team_id, id). */
export async function listSessions(
  sql: Sql,
  reader: Reader,
  query: {
    agentId?: string;
    status?: SessionStatus;
    archived?: boolean;
    cursor?: string | undefined;
    limit: number;
  },
): Promise<SessionRow[]> {
  const { rows } = await sql.query<SessionRow>(
    `select ${columns} from ${tables}
      where s.team_id = $1 and s.deleted_at is null and ($3::uuid is null or s.id < $3)
        and ($4::uuid is null or s.agent_id = $4) and ($5::text is null or s.status = $5)
        and (s.archived_at is not null) = $6
      order by s.id desc limit $7`,
    [
      reader.teamId,
      reader.userId,
      query.cursor ?? null,
      query.agentId ?? null,
      query.status ?? null,
      query.archived ?? false,
      query.limit,
    ],
  );
  return rows;
}

export interface AgentOfSession {
  id: string;
  team_id: string;
  harness: string;
  model: string | null;
  instructions: string | null;
  mode: string;
  repository: { url: string; ref?: string } | null;
  egress: { allow: string[] } | null;
  env: Record<string, string> | null;
}
const agentColumns = `a.id, a.team_id, a.harness, a.model, a.instructions, a.mode, a.repository, a.egress, a.env`;

export async function readAgent(
  sql: Sql,
  teamId: string,
  agentId: string,
): Promise<AgentOfSession | null> {
  const { rows } = await sql.query<AgentOfSession>(
    `select ${agentColumns} from agent a where a.team_id = $1 and a.id = $2 and a.deleted_at is null`,
    [teamId, agentId],
  );
  return rows[0] ?? null;
}

export async function insertSession(
  sql: Sql,
  session: {
    id: string;
    teamId: string;
    agentId: string;
    title: string;
    titleByUser: boolean;
    driver: string;
    isolated: boolean;
    mode: string;
    model: string | null;
    awaitArchive: boolean;
    by: { id: string; name: string };
    at: Date;
  },
): Promise<void> {
  await sql.query(
    `insert into session (id, team_id, agent_id, title, title_by_user, driver, isolated, mode, model, await_archive, created_by_id, created_by_name, created_at, status_since)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)`,
    [
      session.id,
      session.teamId,
      session.agentId,
      session.title,
      session.titleByUser,
      session.driver,
      session.isolated,
      session.mode,
      session.model,
      session.awaitArchive,
      session.by.id,
      session.by.name,
      session.at,
    ],
  );
  await sql.query(`insert into session_head (session_id, last_activity_at) values ($1, $2)`, [
    session.id,
    session.at,
  ]);
}

/** Only what a person changes counts the version up. False: it has another version, or is gone. */
export async function patchSession(
  sql: Sql,
  session: { id: string; teamId: string; version: number },
  patch: {
    title?: string | undefined;
    mode?: string | undefined;
    model?: string | undefined;
    budgetLimitUsd?: string | undefined;
  },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update session set version = version + 1, title = coalesce($4, title), title_by_user = title_by_user or $4::text is not null,
       mode = coalesce($5, mode), model = coalesce($6, model), budget_limit_usd = coalesce($7::numeric, budget_limit_usd)
      where id = $1 and team_id = $2 and version = $3 and deleted_at is null`,
    [
      session.id,
      session.teamId,
      session.version,
      patch.title ?? null,
      patch.mode ?? null,
      patch.model ?? null,
      patch.budgetLimitUsd ?? null,
    ],
  );
  return rowCount === 1;
}

/** The last event that a person has seen; it never goes back. */
export async function markRead(
  sql: Sql,
  reader: Reader,
  sessionId: string,
  seq: number,
): Promise<void> {
  await sql.query(
    `insert into session_read (session_id, user_id, team_id, seq)
     select $1, $2, $3, least($4, h.last_seq) from session_head h where h.session_id = $1
     on conflict (session_id, user_id) do update set seq = greatest(session_read.seq, excluded.seq)`,
    [sessionId, reader.userId, reader.teamId, seq],
  );
}

/** Intent stands in the row before anything is done. `archivedAt`: undefined = as it was. */
export async function setIntent(
  sql: Sql,
  session: { id: string; teamId: string },
  intent: {
    desired?: 'running' | 'suspended';
    archivedAt?: Date | null;
    /** A failed sandbox is replaced. */
    replaceFailed?: boolean;
  },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update session set desired = coalesce($3, desired),
       archived_at = case when $4 then $5 else archived_at end,
       generation = generation + case when $6 and phase in ('failed', 'lost') then 1 else 0 end,
       phase_detail = case when $6 and phase in ('failed', 'lost') then null else phase_detail end,
       phase = case when $6 and phase in ('failed', 'lost') then 'requested' else phase end
      where id = $1 and team_id = $2 and deleted_at is null`,
    [
      session.id,
      session.teamId,
      intent.desired ?? null,
      intent.archivedAt !== undefined,
      intent.archivedAt ?? null,
      intent.replaceFailed ?? false,
    ],
  );
  return rowCount === 1;
}

export async function markDeleted(
  sql: Sql,
  session: { id: string; teamId: string },
  at: Date,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update session set deleted_at = $3, desired = 'removed' where id = $1 and team_id = $2 and deleted_at is null`,
    [session.id, session.teamId, at],
  );
  return rowCount === 1;
}

export async function setAwaitArchive(
  sql: Sql,
  session: { id: string; teamId: string },
  awaitArchive: boolean,
): Promise<void> {
  await sql.query(`update session set await_archive = $3 where id = $1 and team_id = $2`, [
    session.id,
    session.teamId,
    awaitArchive,
  ]);
}
