import { expect, test } from 'vitest';
import { testDatabase } from './testing/index.ts';

test('a connection that breaks between two statements fails the next one, and the pool gives another', async () => {
  await using db = await testDatabase();
  const { pool } = db.store;
  const client = await pool.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const broken = new Promise<void>((resolve) => client.once('end', () => resolve()));
  // Without a listener the error of a lent connection would be an uncaught exception, and fail this test.
  await db.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  await broken;
  await expect(client.query('select 1')).rejects.toThrow();
  client.release();
  const again = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  expect(again.rows[0]?.pid).not.toBe(rows[0]?.pid);
});
