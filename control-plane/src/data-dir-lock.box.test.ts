import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataDir } from './data-dir-lock.ts';

let dir: string;
const scope: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-lock-'));
});
afterEach(async () => {
  for (const end of scope.splice(0)) await end();
  rmSync(dir, { recursive: true, force: true });
});
const logger = { warn: () => undefined };
const refusal = () => `another instance is using ${dir}: stop it, or set BERTH_DATA_DIR`;

/** A process that takes the lock, says so, and keeps it until its end; with a child that outlives it when asked. */
async function other(folder = dir, child = false) {
  const program = `
    const { lockDataDir } = await import(${JSON.stringify(new URL('./data-dir-lock.ts', import.meta.url).href)});
    await lockDataDir(${JSON.stringify(folder)}, { warn: () => {} }).then(
      () => console.log('held'),
      (error) => { console.log(error.message); process.exit(); },
    );
    if (${String(child)}) {
      const { spawn } = await import('node:child_process');
      console.log(spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).pid);
    }
    setInterval(() => {}, 1e6);`;
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(process_, 'exit');
  scope.push(async () => {
    process_.kill('SIGKILL');
    await gone;
  });
  let said = '';
  process_.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const lines = () => said.split('\n').slice(0, -1);
  await expect.poll(() => lines().length, { timeout: 20_000 }).toBe(child ? 2 : 1);
  return {
    said: lines(),
    async kill() {
      process_.kill('SIGKILL');
      await gone;
    },
  };
}

test('of many that start at once one has it, and the others say why they end', async () => {
  const all = await Promise.all(Array.from({ length: 6 }, () => other()));
  const said = all.map((one) => one.said[0]).sort();
  expect(said).toEqual([...Array.from({ length: 5 }, refusal), 'held']);
});

test('who holds it keeps it; another folder is another lock', async () => {
  await other();
  await expect(lockDataDir(dir, logger)).rejects.toThrow(refusal());
  const elsewhere = mkdtempSync(join(tmpdir(), 'berth-lock-'));
  scope.push(async () => rmSync(elsewhere, { recursive: true }));
  using _held = await lockDataDir(elsewhere, logger);
});

test('one that is just leaving is waited for', async () => {
  const first = await other();
  const second = lockDataDir(dir, logger);
  await first.kill();
  (await second)[Symbol.dispose]();
});

test('after kill -9 it is free, though a child lives on', async () => {
  const first = await other(dir, true);
  const child = Number(first.said[1]);
  scope.push(async () => process.kill(child, 'SIGKILL'));
  await first.kill();
  expect(process.kill(child, 0)).toBe(true);
  using _held = await lockDataDir(dir, logger);
});

test('what is in the file does not count: no pid to be given out again, no word of an older boot', async () => {
  const warned: string[] = [];
  const loud = { warn: (...words: unknown[]) => void warned.push(String(words[1])) };
  (await lockDataDir(dir, loud))[Symbol.dispose]();
  expect(readFileSync(join(dir, 'lock'), 'utf8')).toBe('');
  expect(statSync(join(dir, 'lock')).mode & 0o777).toBe(0o600);
  expect(warned).toEqual([]);
  writeFileSync(join(dir, 'lock'), `${String(process.pid)} 1\n`.repeat(100));
  (await lockDataDir(dir, loud))[Symbol.dispose]();
  expect(warned).toEqual(['the data directory cannot be locked']);
});

test.skipIf(process.getuid?.() === 0)('a folder that is read-only says so', async () => {
  chmodSync(dir, 0o500);
  await expect(lockDataDir(dir, logger)).rejects.toThrow('EACCES');
  chmodSync(dir, 0o700);
});
