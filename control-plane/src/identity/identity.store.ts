import type { Pool } from 'pg';

/** All SQL of identity. Secrets come in as hashes only. */
export type Sql = Pick<Pool, 'query'>;

interface Who {
  user_id: string;
  user_name: string;
  team_id: string;
  team_name: string;
  role: string;
}
export interface TokenRow extends Who {
  hash: Uint8Array;
  scopes: string[];
  expires_at: Date | null;
  last_used_at: Date | null;
}
export interface OneTimeRow {
  user_id: string;
  team_id: string;
  purpose: string;
  subject: string | null;
  scopes: string[];
  expires_at: Date;
}

// The role is read with every request, so that a membership that ends, ends everywhere at once.
const who = `u.id as user_id, u.name as user_name, t.id as team_id, t.name as team_name, m.role`;

export async function findToken(sql: Sql, id: string): Promise<TokenRow | null> {
  const { rows } = await sql.query<TokenRow>(
    `select ${who}, k.hash, k.scopes, k.expires_at, k.last_used_at
       from api_token k
       join membership m on m.team_id = k.team_id and m.user_id = k.user_id
       join app_user u on u.id = k.user_id
       join team t on t.id = k.team_id
      where k.id = $1 and k.revoked_at is null`,
    [id],
  );
  return rows[0] ?? null;
}

export async function touchToken(sql: Sql, id: string, at: Date): Promise<void> {
  await sql.query('update api_token set last_used_at = $2 where id = $1', [id, at]);
}

export async function insertToken(
  sql: Sql,
  token: {
    id: string;
    teamId: string;
    userId: string;
    name: string;
    hash: Uint8Array;
    scopes: readonly string[];
    createdAt: Date;
    expiresAt: Date | null;
  },
): Promise<void> {
  await sql.query(
    `insert into api_token (id, team_id, user_id, name, hash, scopes, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      token.id,
      token.teamId,
      token.userId,
      token.name,
      token.hash,
      token.scopes,
      token.createdAt,
      token.expiresAt,
    ],
  );
}

export interface OwnToken {
  id: string;
  name: string;
  scopes: string[];
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
}
export async function listTokens(
  sql: Sql,
  teamId: string,
  userId: string,
  now: Date,
): Promise<OwnToken[]> {
  const { rows } = await sql.query<OwnToken>(
    `select id, name, scopes, created_at, expires_at, last_used_at
       from api_token
      where team_id = $1 and user_id = $2 and revoked_at is null
        and (expires_at is null or expires_at > $3)
      order by created_at desc, id`,
    [teamId, userId, now],
  );
  return rows;
}

/** False: no such token of this user in force. */
export async function revokeToken(
  sql: Sql,
  token: { teamId: string; userId: string; id: string; at: Date },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update api_token set revoked_at = $4
      where id = $3 and team_id = $1 and user_id = $2 and revoked_at is null`,
    [token.teamId, token.userId, token.id, token.at],
  );
  return rowCount === 1;
}

export async function revokeTokensNamed(
  sql: Sql,
  tokens: { teamId: string; userId: string; name: string; at: Date },
): Promise<void> {
  await sql.query(
    `update api_token set revoked_at = $4
      where team_id = $1 and user_id = $2 and name = $3 and revoked_at is null`,
    [tokens.teamId, tokens.userId, tokens.name, tokens.at],
  );
}

export async function findMember(sql: Sql, teamId: string, userId: string): Promise<Who | null> {
  const { rows } = await sql.query<Who>(
    `select ${who}
       from membership m
       join app_user u on u.id = m.user_id
       join team t on t.id = m.team_id
      where m.team_id = $1 and m.user_id = $2`,
    [teamId, userId],
  );
  return rows[0] ?? null;
}

export async function listTeams(
  sql: Sql,
  userId: string,
): Promise<{ id: string; name: string; role: string }[]> {
  const { rows } = await sql.query<{ id: string; name: string; role: string }>(
    `select t.id, t.name, m.role
       from membership m
       join team t on t.id = m.team_id
      where m.user_id = $1
      order by t.created_at, t.id`,
    [userId],
  );
  return rows;
}

export async function findOwner(sql: Sql): Promise<{ userId: string; teamId: string } | null> {
  const { rows } = await sql.query<{ user_id: string; team_id: string }>(
    `select m.user_id, m.team_id
       from membership m
       join team t on t.id = m.team_id
      where m.role = 'owner'
      order by t.created_at, t.id
      limit 1`,
  );
  const row = rows[0];
  return row ? { userId: row.user_id, teamId: row.team_id } : null;
}

/** Team, user and membership in one statement, and only while there is no owner. The embedded start is alone on its data directory. */
export async function insertOwner(
  sql: Sql,
  owner: { teamId: string; teamName: string; userId: string; userName: string; at: Date },
): Promise<void> {
  await sql.query(
    `with free as (select 1 where not exists (select 1 from membership where role = 'owner')),
          made_team as (insert into team (id, name, created_at) select $1, $2, $5 from free),
          made_user as (insert into app_user (id, name, created_at) select $3, $4, $5 from free)
     insert into membership (team_id, user_id, role) select $1, $3, 'owner' from free`,
    [owner.teamId, owner.teamName, owner.userId, owner.userName, owner.at],
  );
}

export async function insertOneTime(
  sql: Sql,
  secret: {
    hash: Uint8Array;
    teamId: string;
    userId: string;
    purpose: string;
    subject: string | null;
    scopes: readonly string[];
    expiresAt: Date;
  },
): Promise<void> {
  await sql.query(
    `insert into one_time (hash, team_id, user_id, purpose, subject, scopes, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      secret.hash,
      secret.teamId,
      secret.userId,
      secret.purpose,
      secret.subject,
      secret.scopes,
      secret.expiresAt,
    ],
  );
}

/** Used is deleted: of two that come at once, one gets the row. */
export async function takeOneTime(sql: Sql, hash: Uint8Array): Promise<OneTimeRow | null> {
  const { rows } = await sql.query<OneTimeRow>(
    `delete from one_time where hash = $1
     returning user_id, team_id, purpose, subject, scopes, expires_at`,
    [hash],
  );
  return rows[0] ?? null;
}

export async function insertWebSession(
  sql: Sql,
  session: { hash: Uint8Array; teamId: string; userId: string; createdAt: Date; expiresAt: Date },
): Promise<void> {
  await sql.query(
    `insert into web_session (hash, team_id, user_id, created_at, expires_at)
     values ($1, $2, $3, $4, $5)`,
    [session.hash, session.teamId, session.userId, session.createdAt, session.expiresAt],
  );
}

export async function findWebSession(
  sql: Sql,
  hash: Uint8Array,
  now: Date,
): Promise<{ userId: string; teamId: string } | null> {
  const { rows } = await sql.query<{ user_id: string; team_id: string }>(
    'select user_id, team_id from web_session where hash = $1 and expires_at > $2',
    [hash, now],
  );
  const row = rows[0];
  return row ? { userId: row.user_id, teamId: row.team_id } : null;
}

export async function deleteWebSession(sql: Sql, hash: Uint8Array): Promise<void> {
  await sql.query('delete from web_session where hash = $1', [hash]);
}

export async function sweepExpired(sql: Sql, now: Date): Promise<void> {
  await sql.query('delete from one_time where expires_at <= $1', [now]);
  await sql.query('delete from web_session where expires_at <= $1', [now]);
}
