import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { startEmbeddedPostgres } from '../../control-plane/src/store/embedded/index.ts';
import { migrate } from '../../control-plane/src/store/migrate.ts';
import { root } from './built.ts';

export interface BenchDatabase extends AsyncDisposable {
  readonly url: string;
  readonly pool: pg.Pool;
  connect(): Promise<pg.Client>;
  /** A head for each: all that the log needs of a session. */
  newHeads(count: number): Promise<string[]>;
}

/** The embedded server with our schema, on a folder of its own. */
export async function openBenchDatabase(): Promise<BenchDatabase> {
  const logger = pino({ level: 'warn' }, pino.destination(2));
  const dir = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  const server = await startEmbeddedPostgres({ baseDir: join(dir, 'pg'), logger });
  const directory = join(root, 'control-plane', 'prisma', 'migrations');
  await migrate({ url: server.url, directory, logger });
  const pool = new pg.Pool({ connectionString: server.url, max: 4 });
  return {
    url: server.url,
    pool,
    async connect() {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      return client;
    },
    async newHeads(count) {
      const ids = Array.from({ length: count }, () => randomUUID());
      await pool.query(`insert into session_head (session_id) select unnest($1::uuid[])`, [ids]);
      return ids;
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
      await server.stop();
      // As root the server keeps its files where its user can reach them.
      for (const path of new Set([dir, server.baseDir]))
        await rm(path, { recursive: true, force: true });
    },
  };
}
