import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { migrate } from './index.ts';
import { emptyDatabase, testDatabase, testLogger as logger } from './testing/index.ts';

/** The project's own tool, as a person would run it. */
async function prisma(url: string, ...args: string[]) {
  const child = spawn(process.execPath, ['tools/prisma.mjs', ...args], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number];
  return { code, output: stdout + stderr };
}
const schema = ['--to-schema', 'prisma/schema.prisma', '--exit-code'];

test('the migrations lead to the schema, and the twin: an empty database does not', async () => {
  await using db = await testDatabase();
  const migrated = ['migrate', 'diff', '--from-migrations', 'prisma/migrations', ...schema];
  expect(await prisma(db.url, ...migrated)).toMatchObject({ code: 0 });
  const empty = await prisma(db.url, 'migrate', 'diff', '--from-empty', ...schema);
  expect(empty).toMatchObject({
    code: 2,
    output: expect.stringContaining('session_event') as string,
  });
});

test('what our migrator made is up to date for Prisma, and the other way round', async () => {
  await using ours = await testDatabase();
  expect(await prisma(ours.url, 'migrate', 'status')).toMatchObject({
    code: 0,
    output: expect.stringContaining('Database schema is up to date') as string,
  });
  await using theirs = await emptyDatabase();
  expect(await prisma(theirs.url, 'migrate', 'deploy')).toMatchObject({ code: 0 });
  const directory = 'control-plane/prisma/migrations';
  expect(await migrate({ url: theirs.url, directory, logger })).toEqual([]);
});

test('the hot table of heads keeps room for HOT updates', async () => {
  await using db = await testDatabase();
  const { rows } = await db.pool.query<{ reloptions: string[] }>(
    `select reloptions from pg_class where relname = 'session_head'`,
  );
  expect(rows[0]?.reloptions).toContain('fillfactor=50');
});
