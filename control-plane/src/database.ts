import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import {
  createHints,
  migrate,
  openStore,
  startEmbeddedPostgres,
  type Hints,
  type Store,
} from './store/index.ts';

/** Postgres, embedded or given, at this build's schema. Closes last to first with the scope. */
export async function openDatabase(parts: {
  config: Config;
  migrations: string;
  logger: Logger;
  scope: AsyncDisposableStack;
}): Promise<{ store: Store; hints: Hints }> {
  const { config, logger, scope } = parts;
  let url = config.databaseUrl;
  if (url === undefined) {
    const embedded = scope.use(
      await startEmbeddedPostgres({
        baseDir: join(config.dataDir, 'pg'),
        logger,
        ...(config.postgresUser === undefined ? {} : { runAs: config.postgresUser }),
      }),
    );
    url = embedded.url;
  }
  const applied = await migrate({ url, directory: parts.migrations, logger }).catch(
    (error: unknown) => {
      throw config.databaseUrl === undefined ? error : named(error, config.databaseUrl);
    },
  );
  if (applied.length > 0) logger.info({ applied }, 'migrated');
  const store = scope.use(await openStore({ url, logger }));
  const hints = scope.use(await createHints({ store, logger }));
  return { store, hints };
}

/** What the driver and the server say names neither the variable nor the host; the URL itself carries a password. */
function named(error: unknown, url: string): unknown {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  if (!(error instanceof Error) || typeof code !== 'string') return error;
  const said = error.message === '' ? code : error.message; // of several addresses, none answered
  const { host, pathname } = new URL(url);
  return new Error(`DATABASE_URL: PostgreSQL at ${host}${pathname} cannot be used: ${said}`, {
    cause: error,
  });
}

/** Why it cannot be served from; empty: it can. */
export async function readiness(store: {
  pool: { query(text: string): Promise<unknown> };
}): Promise<string[]> {
  try {
    await store.pool.query('select 1');
    return [];
  } catch (error) {
    return [
      `the database does not answer: ${error instanceof Error ? error.message : String(error)}`,
    ];
  }
}
