import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../control-plane/src/store/index.ts';
import { dist, endRunner, until } from './support/berth.ts';

/* Who may share a data directory, when the database is the operator's own. */

let home: string;
let postgres: EmbeddedPostgres;
const running: Started[] = [];
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-shared-'));
  const logger = pino({ level: 'error' }, pino.destination(2));
  postgres = await startEmbeddedPostgres({ baseDir: join(home, 'pg'), logger });
  const sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  await sql.query('create database another');
  await sql.end();
});
afterAll(async () => {
  for (const one of running) await one.end('SIGTERM');
  for (const name of ['one', 'two']) await endRunner(join(home, name));
  await postgres.stop();
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
});

interface Started {
  /** What it told a person: the log's own lines are JSON. */
  said(): string[];
  ready(): boolean;
  code(): number | null;
  end(signal: NodeJS.Signals): Promise<unknown>;
}
async function start(folder: string, env: Record<string, string> = {}): Promise<Started> {
  const dataDir = join(home, folder);
  await mkdir(dataDir, { recursive: true });
  const child = spawn(process.execPath, [dist('control-plane', 'main.mjs')], {
    cwd: dataDir,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: dataDir,
      BERTH_DATA_DIR: dataDir,
      DATABASE_URL: postgres.url,
      PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const gone = once(child, 'close');
  const over = () => child.exitCode !== null || child.signalCode !== null;
  let [out, error] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
  const one = {
    said: () => error.split('\n').filter((line) => line !== '' && !line.startsWith('{')),
    ready: () => out.includes('berth ready'),
    code: () => child.exitCode,
    end: async (signal: NodeJS.Signals) => {
      if (!over()) child.kill(signal);
      await gone;
    },
  };
  running.push(one);
  await until(() => one.ready() || over(), 60_000, 'a start, or a refusal');
  return one;
}
const another = (): string => postgres.url.replace('/berth?', '/another?');

test('two at once on one data directory, each with a database of its own: one serves, the other says why not', async () => {
  const both = await Promise.all([start('one'), start('one', { DATABASE_URL: another() })]);
  const [refused, ...more] = both.filter((one) => !one.ready());
  expect(more).toHaveLength(0);
  expect(refused?.code()).toBe(1);
  const sentence = `berth: another instance is using ${join(home, 'one')}: stop it, or set BERTH_DATA_DIR`;
  expect(refused?.said()).toEqual([sentence]);
  // On the same database too, and the one that serves goes on.
  const third = await start('one');
  expect([third.ready(), third.said()]).toEqual([false, [sentence]]);
  expect(both.filter((one) => one.code() === null)).toHaveLength(1);
});

test('after kill -9 the next one starts at once', async () => {
  for (const one of running.filter((each) => each.code() === null)) await one.end('SIGKILL');
  expect((await start('one')).ready()).toBe(true);
});

test('other data directories, and processes that only serve, are no rivals', async () => {
  expect((await start('two', { DATABASE_URL: another() })).ready()).toBe(true);
  expect((await start('one', { BERTH_ROLES: 'web' })).ready()).toBe(true);
  expect((await start('one', { BERTH_ROLES: 'web' })).ready()).toBe(true);
  expect((await start('one', { BERTH_ROLES: 'worker' })).said()).toHaveLength(1);
});
