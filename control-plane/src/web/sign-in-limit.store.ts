import type { Sql } from './idempotency.store.ts';

/** Counts one more failure of this address, in the window that runs or in one that begins now. */
export async function countFailure(
  sql: Sql,
  address: string,
  at: Date,
  windowMs: number,
): Promise<{ since: Date; count: number }> {
  const { rows } = await sql.query<{ since: Date; count: number }>(
    `insert into sign_in_failure as f (address, since, count) values ($1, $2, 1)
     on conflict (address) do update set
       since = case when f.since <= $3 then excluded.since else f.since end,
       count = case when f.since <= $3 then 1 else f.count + 1 end
     returning since, count`,
    [address, at, new Date(at.getTime() - windowMs)],
  );
  const row = rows[0];
  if (row === undefined) throw new Error('an upsert returns its row');
  return row;
}

export async function sweepFailures(sql: Sql, before: Date): Promise<void> {
  await sql.query('delete from sign_in_failure where since < $1', [before]);
}
