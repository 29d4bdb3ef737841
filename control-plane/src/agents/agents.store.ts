import type { AgentMode } from '@berth/contract';
import type { Pool } from 'pg';

/** All SQL of agent records. Every statement is limited to a team. */
export type Sql = Pick<Pool, 'query'>;

export interface AgentRow {
  id: string;
  name: string;
  harness: string;
  model: string | null;
  instructions: string | null;
  mode: AgentMode;
  repository: { url: string; ref?: string } | null;
  egress: { allow: string[] } | null;
  env: Record<string, string> | null;
  idle_suspend_ms: string | null;
  version: number;
  created_at: Date;
  updated_at: Date;
}
export interface AgentValues {
  name: string;
  harness: string;
  model: string | null;
  instructions: string | null;
  mode: AgentMode;
  repository: { url: string; ref?: string | undefined } | null;
  egress: { allow: readonly string[] } | null;
  env: Readonly<Record<string, string>> | null;
  idleSuspendMs: number | null;
}

const columns = `id, name, harness, model, instructions, mode, repository, egress, env,
  idle_suspend_ms, version, created_at, updated_at`;
const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));
const valuesOf = (agent: AgentValues): unknown[] => [
  agent.name,
  agent.harness,
  agent.model,
  agent.instructions,
  agent.mode,
  json(agent.repository),
  json(agent.egress),
  json(agent.env),
  agent.idleSuspendMs,
];

/** Newest first; ids sort by birth, so the last one is the cursor. Served by agent(team_id, id). */
export async function listAgents(
  sql: Sql,
  teamId: string,
  page: { limit: number; before: string | null },
): Promise<AgentRow[]> {
  const { rows } = await sql.query<AgentRow>(
    `select ${columns}
       from agent
      where team_id = $1 and deleted_at is null and ($2::uuid is null or id < $2::uuid)
      order by id desc
      limit $3`,
    [teamId, page.before, page.limit],
  );
  return rows;
}

export async function findAgent(sql: Sql, teamId: string, id: string): Promise<AgentRow | null> {
  const { rows } = await sql.query<AgentRow>(
    `select ${columns} from agent where team_id = $1 and id = $2 and deleted_at is null`,
    [teamId, id],
  );
  return rows[0] ?? null;
}

export async function findAgentOfHarness(
  sql: Sql,
  teamId: string,
  harness: string,
): Promise<AgentRow | null> {
  const { rows } = await sql.query<AgentRow>(
    `select ${columns} from agent where team_id = $1 and harness = $2 order by id limit 1`,
    [teamId, harness],
  );
  return rows[0] ?? null;
}

/** Null: that id was given out before, and its agent is there. */
export async function insertAgent(
  sql: Sql,
  key: { id: string; teamId: string; at: Date },
  agent: AgentValues,
): Promise<AgentRow | null> {
  const { rows } = await sql.query<AgentRow>(
    `insert into agent (id, team_id, created_at, updated_at, name, harness, model, instructions,
                        mode, repository, egress, env, idle_suspend_ms)
     values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (id) do nothing
     returning ${columns}`,
    [key.id, key.teamId, key.at, ...valuesOf(agent)],
  );
  return rows[0] ?? null;
}

/** Null: somebody changed it since `version`, or it is gone. */
export async function updateAgent(
  sql: Sql,
  key: { id: string; teamId: string; version: number; at: Date },
  agent: AgentValues,
): Promise<AgentRow | null> {
  const { rows } = await sql.query<AgentRow>(
    `update agent
        set version = version + 1, updated_at = $4, name = $5, harness = $6, model = $7,
            instructions = $8, mode = $9, repository = $10, egress = $11, env = $12,
            idle_suspend_ms = $13
      where team_id = $1 and id = $2 and version = $3 and deleted_at is null
      returning ${columns}`,
    [key.teamId, key.id, key.version, key.at, ...valuesOf(agent)],
  );
  return rows[0] ?? null;
}

/**
 * Removes it unless it has sessions. The row is only marked: a session that is created in the same moment still finds what it runs with.
 * Served by session(agent_id).
 */
export async function deleteAgent(
  sql: Sql,
  key: { id: string; teamId: string; at: Date },
): Promise<'deleted' | 'in-use' | 'unknown'> {
  const { rows } = await sql.query<{ deleted: boolean }>(
    `with this as (
       select id from agent where team_id = $1 and id = $2 and deleted_at is null
     ), gone as (
       update agent set deleted_at = $3, version = version + 1
        where id in (select id from this)
          and not exists (select 1 from session s where s.agent_id = $2 and s.deleted_at is null)
       returning id
     )
     select exists (select 1 from gone) as deleted from this`,
    [key.teamId, key.id, key.at],
  );
  const row = rows[0];
  if (row === undefined) return 'unknown';
  return row.deleted ? 'deleted' : 'in-use';
}
