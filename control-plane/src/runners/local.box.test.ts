import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startLocalRunner } from './local.ts';
import { processStart } from './process-identity.ts';

// A stand-in for the runner's program: what is tested is how it is started, found and replaced.
const program = (mark: string) => `
  import { appendFileSync, readFileSync } from 'node:fs';
  const dir = process.argv[process.argv.indexOf('--state') + 1];
  JSON.parse(readFileSync(dir + '/link.json', 'utf8'));
  appendFileSync(dir + '/lives', JSON.stringify({ pid: process.pid, mark: ${JSON.stringify(mark)}, env: Object.keys(process.env).sort() }) + '\\n');
  process.on('SIGTERM', () => process.exit(0));
  setInterval(() => {}, 1000);
`;
const logger = pino({ level: 'silent' });
const identity = { runnerId: 'r', credential: 'c' };
let dir: string;
let script: string;
let busy: boolean;
let foreign = false;
let stack: AsyncDisposableStack;
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 10_000, interval: 20 });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-local-'));
  script = join(dir, 'runner.mjs');
  busy = false;
  foreign = false;
  stack = new AsyncDisposableStack();
  stack.defer(() => rm(dir, { recursive: true, force: true }));
});
afterEach(async () => {
  await stack.disposeAsync();
});
const start = (url = 'http://127.0.0.1:1') =>
  startLocalRunner({
    stateDir: dir,
    runnerScript: script,
    nodeBinary: process.execPath,
    urls: [url],
    identity,
    busy: async () => busy,
    foreign: () => foreign,
    logger,
  });
const lives = async () =>
  (await readFile(join(dir, 'lives'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { pid: number; mark: string; env: string[] });

test('starts it detached and bare, outlives its watcher, is found again, and starts it anew when it dies', async () => {
  await writeFile(script, program('one'));
  process.env['BERTH_CANARY'] = 'secret';
  const first = await start();
  delete process.env['BERTH_CANARY'];
  await until(async () => expect(await lives()).toHaveLength(1));
  const pid = first.pid()!;
  expect((await lives())[0]).toEqual({ pid, mark: 'one', env: ['NODE_ENV', 'PATH'] });
  expect((await stat(join(dir, 'link.json'))).mode & 0o777).toBe(0o600);
  await first[Symbol.asyncDispose]();
  expect(await processStart(pid)).toBeDefined();

  const second = await start('http://127.0.0.1:2');
  stack.defer(() => second.end());
  expect(second.pid()).toBe(pid);
  expect(JSON.parse(await readFile(join(dir, 'link.json'), 'utf8'))).toEqual({
    url: 'http://127.0.0.1:2',
    urls: ['http://127.0.0.1:2'],
    ...identity,
  });
  process.kill(pid, 'SIGKILL');
  await until(async () => expect(await lives()).toHaveLength(2));
  await until(() => expect(second.pid()).not.toBe(pid));
  expect(await processStart(second.pid()!)).toBeDefined();
});

test('one of another build is replaced as soon as no turn runs, not before', async () => {
  await writeFile(script, program('old'));
  const first = await start();
  await until(async () => expect(await lives()).toHaveLength(1));
  const old = first.pid()!;
  await first[Symbol.asyncDispose]();
  await writeFile(script, program('new'));
  busy = true;
  const second = await start();
  stack.defer(() => second.end());
  await new Promise((resolve) => setTimeout(resolve, 800));
  expect(second.pid()).toBe(old);
  busy = false;
  await until(async () => expect((await lives()).map((one) => one.mark)).toEqual(['old', 'new']));
  expect(await processStart(old)).toBeUndefined();
});

test('one that nobody understands is replaced at once: it can never say that it is idle', async () => {
  await writeFile(script, program('old'));
  const first = await start();
  await until(async () => expect(await lives()).toHaveLength(1));
  const old = first.pid()!;
  await first[Symbol.asyncDispose]();
  await writeFile(script, program('new'));
  busy = true;
  const second = await start();
  stack.defer(() => second.end());
  foreign = true;
  await until(async () => expect((await lives()).map((one) => one.mark)).toEqual(['old', 'new']));
  expect(await processStart(old)).toBeUndefined();
});

test('a pid that now belongs to somebody else is not taken for the runner', async () => {
  await writeFile(script, program('one'));
  const record = { pid: process.pid, startedAt: '1', build: 'x' };
  await writeFile(join(dir, 'runner.pid'), JSON.stringify(record));
  const runner = await start();
  stack.defer(() => runner.end());
  expect(runner.pid()).not.toBe(process.pid);
});

test('a record that was lost: whoever holds the lock is the runner, and gives way when no turn runs', async () => {
  await writeFile(script, program('one'));
  const first = await start();
  await until(async () => expect(await lives()).toHaveLength(1));
  const pid = first.pid()!;
  await first[Symbol.asyncDispose]();
  await rm(join(dir, 'runner.pid'));
  await writeFile(join(dir, 'runner.lock'), `${pid} ${(await processStart(pid))!}`);
  busy = true;
  const second = await start();
  stack.defer(() => second.end());
  expect(second.pid()).toBe(pid);
  busy = false;
  await until(async () => expect(await lives()).toHaveLength(2));
  expect(await processStart(pid)).toBeUndefined();
});

test('one that cannot start is tried again with patience, and leaves its words', async () => {
  await writeFile(script, 'console.error("no such thing"); process.exit(3);');
  const runner = await start();
  stack.defer(() => runner.end());
  await until(async () =>
    expect((await readFile(join(dir, 'runner.out'), 'utf8')).split('no such thing').length).toBe(3),
  );
});
