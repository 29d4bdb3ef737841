import type { Sql } from './sql.ts';

const tables = `session s join session_head h on h.session_id = s.id join agent a on a.id = s.agent_id`;
const idle = `s.status = 'idle' and s.desired = 'running' and s.deleted_at is null and a.idle_suspend_ms is not null
        and greatest(h.last_activity_at, s.status_since) + a.idle_suspend_ms * interval '1 millisecond' <= $1
        and not exists (select 1 from terminal t where t.session_id = s.id and t.state = 'open')
        and not exists (select 1 from turn t where t.session_id = s.id and t.ended_at is null)`;

/** Sessions whose agent suspends them when nothing happened for so long. */
export async function idleTooLong(sql: Sql, now: Date): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select s.id from ${tables} where ${idle} limit 100`,
    [now],
  );
  return rows.map(({ id }) => id);
}

/** In a transaction: with the row locked, the second statement sees a message that came meanwhile. False: the session is idle no longer. */
export async function suspendIdle(sql: Sql, id: string, now: Date): Promise<boolean> {
  await sql.query(`select 1 from session s where s.id = $1 for no key update`, [id]);
  const { rowCount } = await sql.query(
    `update session set desired = 'suspended' where id in (select s.id from ${tables} where s.id = $2 and ${idle})`,
    [now, id],
  );
  return rowCount === 1;
}
