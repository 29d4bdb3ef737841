import type pg from 'pg';

type Sql = Pick<pg.Pool, 'query'>;

export interface ReplicaRow {
  id: string;
  url: string;
  roles: string[];
  secret: string;
  facts: unknown;
}
export interface SeatRow extends Omit<ReplicaRow, 'roles' | 'facts'> {
  runner_id: string;
  /** The session said that it runs there. */
  home: boolean;
}

/** By the database's clock, which all of them share. */
const alive = `heartbeat_at > now() - $1 * interval '1 millisecond'`;

export async function beat(sql: Sql, own: ReplicaRow): Promise<void> {
  await sql.query(
    `insert into replica (id, url, roles, secret, facts, started_at, heartbeat_at) values ($1, $2, $3, $4, $5, now(), now())
     on conflict (id) do update set heartbeat_at = now(), facts = excluded.facts`,
    [own.id, own.url, own.roles, own.secret, JSON.stringify(own.facts ?? null)],
  );
}

export async function readAlive(sql: Sql, aliveMs: number): Promise<ReplicaRow[]> {
  const { rows } = await sql.query<ReplicaRow>(
    `select id, url, roles, secret, facts from replica where ${alive} order by started_at, id`,
    [aliveMs],
  );
  return rows;
}

/** The silent, and links that they held. */
export async function sweep(sql: Sql, silentMs: number): Promise<void> {
  await sql.query(
    `delete from replica where heartbeat_at < now() - $1 * interval '1 millisecond'`,
    [silentMs],
  );
  await sql.query(
    `update runner set replica_id = null where replica_id is not null
       and not exists (select 1 from replica p where p.id = runner.replica_id)`,
  );
}

export async function leave(sql: Sql, id: string): Promise<void> {
  await sql.query(`update runner set replica_id = null where replica_id = $1`, [id]);
  await sql.query(`delete from replica where id = $1`, [id]);
}

/** When it was claimed: with the process, it names this claim. Null: no such runner. */
export async function claimRunner(sql: Sql, runnerId: string, id: string): Promise<string | null> {
  const { rows } = await sql.query<{ since: string }>(
    `update runner set replica_id = $2, last_seen_at = now() where id = $1 returning last_seen_at::text as since`,
    [runnerId, id],
  );
  return rows[0]?.since ?? null;
}
/** Only our own claim: another one may have it by now. */
export async function releaseRunner(sql: Sql, runnerId: string, id: string): Promise<void> {
  await sql.query(`update runner set replica_id = null where id = $1 and replica_id = $2`, [
    runnerId,
    id,
  ]);
}
export async function claimedBy(sql: Sql, id: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(`select id from runner where replica_id = $1`, [
    id,
  ]);
  return rows.map((row) => row.id);
}

/** Runners whose link somebody holds that lives; two rows are enough to see whether there is only one. */
export async function readSeats(sql: Sql, sessionId: string, aliveMs: number): Promise<SeatRow[]> {
  const { rows } = await sql.query<SeatRow>(
    `select r.id as runner_id, coalesce(r.id = s.runner_id, false) as home, p.id, p.url, p.secret
       from session s, runner r join replica p on p.id = r.replica_id
      where s.id = $2 and p.${alive} order by 2 desc limit 2`,
    [aliveMs, sessionId],
  );
  return rows;
}
