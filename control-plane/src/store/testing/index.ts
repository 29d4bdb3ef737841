import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import pg from 'pg';
import { inject } from 'vitest';
import './global-setup.ts';
import { openStore, type Store } from '../index.ts';

/** Quiet unless something is wrong. */
export const testLogger = pino({ level: 'error' }, pino.destination(2));

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly prisma: Awaited<ReturnType<Store['prisma']>>;
  readonly store: Store;
}

/** `await using db = await testDatabase()`: a migrated database of its own, dropped at the end. Only in `*.pg.test.ts`. */
export async function testDatabase(
  options: { maxConnections?: number } = {},
): Promise<TestDatabase> {
  const database = await createDatabase('template_berth');
  const store = await openStore({ url: database.url, logger: testLogger, ...options });
  return {
    url: store.url,
    pool: store.pool,
    prisma: await store.prisma(),
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Without any table of ours. */
export function emptyDatabase(): Promise<AsyncDisposable & { url: string }> {
  return createDatabase('template0');
}

async function createDatabase(template: string): Promise<AsyncDisposable & { url: string }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administrate(`create database ${name} template ${template} strategy file_copy`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return {
    url: url.href,
    // With force: a test may have killed the connection that would have been closed in order.
    [Symbol.asyncDispose]: () => administrate(`drop database if exists ${name} with (force)`),
  };
}

async function administrate(sql: string): Promise<void> {
  const url = new URL(inject('postgresUrl'));
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
