import { expect, test } from 'vitest';
import { testDatabase } from './index.ts';

test('every test database is migrated, its own, and gone afterwards', async () => {
  let url: string;
  {
    await using first = await testDatabase();
    await using second = await testDatabase();
    url = first.url;
    await first.prisma.team.create({
      data: { id: '01890000-0000-7000-8000-000000000001', name: 'first' },
    });
    expect(await first.prisma.team.count()).toBe(1);
    expect(await second.prisma.team.count()).toBe(0);
  }
  await using other = await testDatabase();
  const { rows } = await other.pool.query('select 1 from pg_database where datname = $1', [
    new URL(url).pathname.slice(1),
  ]);
  expect(rows).toEqual([]);
});

test('connections cannot keep a transaction open, and run at READ COMMITTED', async () => {
  await using db = await testDatabase();
  const client = await db.store.connect('settings');
  const { rows } = await client.query(
    `select current_setting('transaction_isolation') as isolation,
            current_setting('idle_in_transaction_session_timeout') as idle,
            current_setting('transaction_timeout') as transaction,
            current_setting('application_name') as name`,
  );
  await client.end();
  expect(rows).toEqual([
    { isolation: 'read committed', idle: '15s', transaction: '1min', name: 'berth settings' },
  ]);
});
