import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { migrate } from './index.ts';
import { emptyDatabase, testLogger as logger } from './testing/index.ts';

type Files = Record<string, string>;

/** An empty database and a folder of migrations, both gone at the end. */
async function scene(files: Files) {
  const database = await emptyDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'berth-migrations-'));
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const ship = async (more: Files) => {
    for (const [name, sql] of Object.entries(more)) {
      await mkdir(join(directory, name), { recursive: true });
      await writeFile(join(directory, name, 'migration.sql'), sql);
    }
  };
  await ship(files);
  return {
    ship,
    client,
    run: () => migrate({ url: database.url, directory, logger }),
    async history() {
      const { rows } = await client.query<Record<string, unknown>>(
        `select migration_name as name, finished_at is not null as finished, applied_steps_count as steps, logs
           from _prisma_migrations order by started_at`,
      );
      return rows;
    },
    async [Symbol.asyncDispose]() {
      await client.end();
      await database[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

test('applies what is missing, in order, once; the second start does nothing', async () => {
  await using db = await scene({
    '1_a': 'create table a (id int)',
    // Semicolons inside strings and functions are the reason why a migration is one query.
    '2_b': `create function f() returns text language plpgsql as $$ begin return 'a;b'; end $$; create table b (id int default 1);`,
  });
  expect(await db.run()).toEqual(['1_a', '2_b']);
  expect(await db.run()).toEqual([]);
  await db.ship({ '3_c': 'alter table b add column more text' });
  expect(await db.run()).toEqual(['3_c']);
  expect(await db.history()).toEqual(
    ['1_a', '2_b', '3_c'].map((name) => ({ name, finished: true, steps: 1, logs: null })),
  );
  expect((await db.client.query('select f() as f')).rows).toEqual([{ f: 'a;b' }]);
});

test('four starts at once: each migration is applied once', async () => {
  await using db = await scene({
    '1_a': 'create table a (id int); insert into a values (1)',
    '2_b': 'insert into a values (2)',
  });
  const applied = await Promise.all([db.run(), db.run(), db.run(), db.run()]);
  expect(applied.flat().sort()).toEqual(['1_a', '2_b']);
  expect((await db.client.query('select id from a order by id')).rows).toEqual([
    { id: 1 },
    { id: 2 },
  ]);
});

test('a failed migration leaves nothing of itself, is noted, and stops every later start until it is resolved', async () => {
  await using db = await scene({
    '1_a': 'create table a (id int)',
    '2_bad': 'create table half (id int); select 1 / 0',
  });
  await expect(db.run()).rejects.toThrow('migration 2_bad failed: 22012 division by zero');
  expect((await db.client.query(`select to_regclass('half') as half`)).rows).toEqual([
    { half: null },
  ]);
  expect(await db.history()).toMatchObject([
    { name: '1_a', finished: true },
    { name: '2_bad', finished: false, logs: '22012 division by zero' },
  ]);
  await expect(db.run()).rejects.toThrow('2_bad failed earlier (P3009)');

  // What `prisma migrate resolve --rolled-back` does.
  await db.client.query(
    'update _prisma_migrations set rolled_back_at = now() where finished_at is null',
  );
  await db.ship({ '2_bad': 'create table half (id int)' });
  expect(await db.run()).toEqual(['2_bad']);
});

test('a database of a newer build is refused', async () => {
  await using db = await scene({ '1_a': 'create table a (id int)' });
  await db.run();
  await db.client.query(
    `insert into _prisma_migrations (id, checksum, migration_name, finished_at) values ($1, '', '9_later', now())`,
    [randomUUID()],
  );
  await expect(db.run()).rejects.toThrow('(9_later): a newer Berth was here');
});

test('a database that holds something else is refused and left alone', async () => {
  await using db = await scene({ '1_a': 'create table a (id int)' });
  await db.client.query('create table somebodys (id int)');
  await expect(db.run()).rejects.toThrow('not empty and has no _prisma_migrations table (P3005)');
  expect(
    (await db.client.query(`select to_regclass('_prisma_migrations') as t, to_regclass('a') as a`))
      .rows,
  ).toEqual([{ t: null, a: null }]);
});

test('waits for whoever holds Prisma’s lock', async () => {
  await using db = await scene({ '1_a': 'create table a (id int)' });
  await db.client.query('select pg_advisory_lock(72707369)');
  const running = db.run();
  const waiting = async () => {
    const { rowCount } = await db.client.query(
      `select 1 from pg_stat_activity where application_name = 'berth migrate' and wait_event = 'advisory'
          and datname = current_database()`,
    );
    return rowCount;
  };
  await expect.poll(waiting, { timeout: 10_000 }).toBe(1);
  expect((await db.client.query(`select to_regclass('a') as a`)).rows).toEqual([{ a: null }]);
  await db.client.query('select pg_advisory_unlock(72707369)');
  expect(await running).toEqual(['1_a']);
});

test('nobody there: one sentence, soon', async () => {
  const url = 'postgresql://localhost:1/none';
  await expect(
    migrate({ url, directory: 'control-plane/prisma/migrations', logger }),
  ).rejects.toThrow('ECONNREFUSED');
});
