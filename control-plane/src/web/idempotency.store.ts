import type { Pool } from 'pg';

export type Sql = Pick<Pool, 'query'>;
export interface Key {
  teamId: string;
  userId: string;
  key: string;
}
export interface StoredReply {
  status: number;
  headers: Record<string, string>;
  body: string;
}
/** `createdId`: what the request creates has this id, also when whoever claimed the key first died in the middle of it. */
export type Claim =
  | { kind: 'claimed'; createdId: string }
  | { kind: 'running'; requestHash: Uint8Array }
  | { kind: 'done'; requestHash: Uint8Array; reply: StoredReply };

/** The key is ours when nobody had it, or when its holder died: no answer since `deadBefore`. Served by the primary key. */
export async function claimKey(
  sql: Sql,
  key: Key,
  at: {
    requestHash: Uint8Array;
    newId: string;
    now: Date;
    deadBefore: Date;
    expiredBefore: Date;
  },
): Promise<Claim> {
  const claimed = await sql.query<{ created_id: string }>(
    `insert into idempotency_key (team_id, user_id, key, request_hash, created_at, created_id)
     values ($1, $2, $3, $4, $5, $8)
     on conflict (team_id, user_id, key) do update
        set request_hash = excluded.request_hash, created_at = excluded.created_at,
            status = null, headers = null, body = null,
            created_id = case when idempotency_key.created_at <= $7 then excluded.created_id
              else coalesce(idempotency_key.created_id, excluded.created_id) end
      where idempotency_key.created_at <= $7
         or (idempotency_key.status is null and idempotency_key.created_at <= $6
             and idempotency_key.request_hash = excluded.request_hash)
     returning created_id`,
    [
      key.teamId,
      key.userId,
      key.key,
      at.requestHash,
      at.now,
      at.deadBefore,
      at.expiredBefore,
      at.newId,
    ],
  );
  const mine = claimed.rows[0];
  if (mine !== undefined) return { kind: 'claimed', createdId: mine.created_id };
  const { rows } = await sql.query<{
    request_hash: Uint8Array;
    status: number | null;
    headers: Record<string, string> | null;
    body: string | null;
  }>(
    `select request_hash, status, headers, body
       from idempotency_key
      where team_id = $1 and user_id = $2 and key = $3`,
    [key.teamId, key.userId, key.key],
  );
  const row = rows[0];
  // Released between the two statements: whoever looks again may claim it.
  if (row === undefined) return { kind: 'running', requestHash: at.requestHash };
  if (row.status === null) return { kind: 'running', requestHash: row.request_hash };
  const reply = { status: row.status, headers: row.headers ?? {}, body: row.body ?? '' };
  return { kind: 'done', requestHash: row.request_hash, reply };
}

export async function settleKey(sql: Sql, key: Key, reply: StoredReply): Promise<void> {
  await sql.query(
    `update idempotency_key
        set status = $4, headers = $5, body = $6
      where team_id = $1 and user_id = $2 and key = $3`,
    [key.teamId, key.userId, key.key, reply.status, JSON.stringify(reply.headers), reply.body],
  );
}

export async function releaseKey(sql: Sql, key: Key): Promise<void> {
  await sql.query(
    `delete from idempotency_key
      where team_id = $1 and user_id = $2 and key = $3 and status is null`,
    [key.teamId, key.userId, key.key],
  );
}

/** Nobody knows how far the request came: whoever repeats it takes over at once, under the same id. */
export async function abandonKey(sql: Sql, key: Key, deadBefore: Date): Promise<void> {
  await sql.query(
    `update idempotency_key set created_at = $4
      where team_id = $1 and user_id = $2 and key = $3 and status is null`,
    [key.teamId, key.userId, key.key, deadBefore],
  );
}

/** Served by idempotency_key(created_at). */
export async function sweepKeys(sql: Sql, before: Date): Promise<void> {
  await sql.query('delete from idempotency_key where created_at <= $1', [before]);
}
