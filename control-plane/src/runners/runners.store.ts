import type { Store } from '../store/index.ts';

// By hand: every start comes here, and loading Prisma for three statements would cost it time and memory.
type Sql = Pick<Store, 'pool'>;

export async function runnerHash({ pool }: Sql, runnerId: string): Promise<Uint8Array | null> {
  const { rows } = await pool.query<{ hash: Uint8Array }>(`select hash from runner where id = $1`, [
    runnerId,
  ]);
  return rows[0]?.hash ?? null;
}

/** Its journal outlives the database's row, so an identity that the machine still holds is taken over as it is. */
export async function ensureRunner(
  { pool }: Sql,
  runner: { id: string; hash: Uint8Array<ArrayBuffer>; at: Date },
): Promise<void> {
  await pool.query(
    `insert into runner (id, hash, created_at)
     values ($1, $2, $3)
     on conflict (id) do update set hash = excluded.hash`,
    [runner.id, runner.hash, runner.at],
  );
}
