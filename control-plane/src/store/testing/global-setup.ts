// One embedded server for the run. Its template database is migrated once; every test database is a clone of it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { TestProject } from 'vitest/node';
import { migrate, startEmbeddedPostgres } from '../index.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The template database of this run. */
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const logger = pino({ level: 'warn' }, pino.destination(2));
  const baseDir = await mkdtemp(join(tmpdir(), 'berth-pg-'));
  const server = await startEmbeddedPostgres({ baseDir, logger, database: 'template_berth' });
  const directory = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));
  await migrate({ url: server.url, directory, logger });
  project.provide('postgresUrl', server.url);
  return async () => {
    await server.stop();
    await rm(baseDir, { recursive: true, force: true });
  };
}
