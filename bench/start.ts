/**
 * What a stranger waits for: the first `npm start` of a clean clone with an empty npm cache, and the later ones. The clone is of the commit that is checked out.
 * Needs the package registry for the first one.
 *
 *   node bench/start.ts [--later=5]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runnerPid } from '../e2e/support/berth.ts';
import { root } from './support/built.ts';
import { option, report } from './support/report.ts';
import { median, summary } from './support/stats.ts';

const later = option('later', 5);
const limitMs = 600_000;

const base = mkdtempSync(join(tmpdir(), 'berth-start-'));
const clone = join(base, 'berth');
const dataDir = join(base, 'data');
const megabytes = (path: string): number =>
  Number(execFileSync('du', ['-sk', path]).toString().split('\t')[0]) / 1024;

/** Until it says that it serves; then it is ended in order. */
async function start(): Promise<number> {
  const startedAt = performance.now();
  const child = spawn('npm', ['start', '--silent'], {
    cwd: clone,
    env: {
      ...process.env, // the registry's address and certificates are the user's
      npm_config_cache: join(base, 'npm-cache'),
      BERTH_DATA_DIR: dataDir,
      PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ready = Promise.withResolvers<number>();
  child.stdout.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('berth ready')) ready.resolve(performance.now() - startedAt);
  });
  child.once('exit', (code) => ready.reject(new Error(`ended with ${String(code)}\n${said}`)));
  const timer = setTimeout(() => ready.reject(new Error(`not ready in time\n${said}`)), limitMs);
  try {
    return await ready.promise;
  } finally {
    clearTimeout(timer);
    if (child.exitCode === null) {
      const gone = once(child, 'close');
      // npm passes it on. To the whole group it would come twice, which is a hurry: the database would be left running, and the next start would find it warm.
      child.kill('SIGTERM');
      await gone;
    }
  }
}

try {
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', root, clone]);
  const first = await start();
  const installed = megabytes(clone);
  const data = megabytes(dataDir);
  const cache = megabytes(join(base, 'npm-cache'));
  const laters: number[] = [];
  for (let round = 0; round < later; round++) laters.push(await start());
  report(
    'start',
    [
      {
        what: 'first npm start, to ready',
        measured: first / 1000,
        unit: 's',
        target: { atMost: 90 },
      },
      {
        what: 'clone, packages and build, on disk',
        measured: installed,
        unit: 'MB',
        target: { atMost: 900 },
      },
      { what: 'data directory after it', measured: data, unit: 'MB' },
      { what: 'npm’s own cache', measured: cache, unit: 'MB' },
      {
        what: 'later npm start, p50',
        measured: median(laters) / 1000,
        unit: 's',
        target: { atMost: 2 },
      },
      { what: 'the same, slowest', measured: summary(laters).max / 1000, unit: 's' },
    ],
    { laterMs: summary(laters) },
  );
} finally {
  const runner = await runnerPid(dataDir);
  if (runner !== undefined) {
    try {
      process.kill(runner, 'SIGTERM');
    } catch {
      // it has ended already
    }
  }
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
}
