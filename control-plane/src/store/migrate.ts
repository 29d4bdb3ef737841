// The start-up migrator: same table, lock, checksums and failure rules as `prisma migrate deploy`, without the Prisma CLI.
// Both may be used on one database, in any order and at the same time.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import pg from 'pg';
import { planMigrations, readMigrations, type Migration } from './migrations.ts';

/** The advisory lock of Prisma's schema engine. */
const prismaLock = 72707369;
const lockTimeoutMs = 60_000;

const createTable = `
create table if not exists "_prisma_migrations" (
  "id" varchar(36) primary key not null, "checksum" varchar(64) not null, "finished_at" timestamptz,
  "migration_name" varchar(255) not null, "logs" text, "rolled_back_at" timestamptz,
  "started_at" timestamptz not null default now(), "applied_steps_count" integer not null default 0)`;

export interface MigrateOptions {
  url: string;
  /** The folder with one sub-folder per migration. */
  directory: string;
  logger: Logger;
}

/** Brings the database to this build's schema, or throws one sentence that says why it must not. */
export async function migrate({ url, directory, logger }: MigrateOptions): Promise<string[]> {
  const shipped = await readMigrations(directory);
  const client = new pg.Client({
    connectionString: url,
    application_name: 'berth migrate',
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', (error) =>
    logger.warn({ err: error }, 'the connection of the migrator broke'),
  );
  await client.connect();
  try {
    await client.query(`set lock_timeout = ${lockTimeoutMs}`);
    await client.query('select pg_advisory_lock($1)', [prismaLock]);
    await client.query('set lock_timeout = 0');
    await ensureTable(client);
    const plan = planMigrations(shipped, await readApplied(client));
    if (plan.kind === 'failed-before') {
      throw new Error(
        `migration ${plan.name} failed earlier (P3009): repair the database, then run "prisma migrate resolve"`,
      );
    }
    if (plan.kind === 'newer-schema') {
      throw new Error(
        `the database has migrations that this build does not know (${plan.names.join(', ')}): a newer Berth was here; start that version`,
      );
    }
    for (const migration of plan.missing) {
      await apply(client, migration);
      logger.info({ migration: migration.name }, 'migration applied');
    }
    return plan.missing.map((migration) => migration.name);
  } finally {
    await client.end(); // also frees the lock
  }
}

async function ensureTable(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ present: boolean; strangers: boolean }>(
    `select to_regclass('_prisma_migrations') is not null as present,
            exists (select 1 from pg_class c
                     where c.relnamespace = current_schema()::regnamespace
                       and c.relkind in ('r', 'p', 'v', 'm')) as strangers`,
  );
  const found = rows[0];
  if (found?.present) return;
  if (found?.strangers) {
    throw new Error(
      'the database schema is not empty and has no _prisma_migrations table (P3005): give Berth a database of its own',
    );
  }
  await client.query(createTable);
}

async function readApplied(client: pg.Client) {
  const { rows } = await client.query<{ name: string; finished: boolean; rolled_back: boolean }>(
    `select migration_name as name, finished_at is not null as finished, rolled_back_at is not null as rolled_back
       from _prisma_migrations order by started_at`,
  );
  return rows.map((row) => ({
    name: row.name,
    finished: row.finished,
    rolledBack: row.rolled_back,
  }));
}

async function apply(client: pg.Client, { name, checksum, sql }: Migration): Promise<void> {
  const id = randomUUID();
  await client.query(
    `insert into _prisma_migrations (id, checksum, migration_name, started_at)
     values ($1, $2, $3, clock_timestamp())`,
    [id, checksum, name],
  );
  try {
    // Without parameters this is one simple-protocol query: the whole file is one implicit transaction.
    await client.query(sql);
  } catch (error) {
    const logs =
      error instanceof pg.DatabaseError
        ? `${error.code ?? 'unknown'} ${error.message}`
        : String(error);
    await client.query('rollback');
    await client.query('update _prisma_migrations set logs = $2 where id = $1', [id, logs]);
    throw new Error(`migration ${name} failed: ${logs}`, { cause: error });
  }
  await client.query(
    `update _prisma_migrations set finished_at = clock_timestamp(), applied_steps_count = applied_steps_count + 1
      where id = $1`,
    [id],
  );
}
