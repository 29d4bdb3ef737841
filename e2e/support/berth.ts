import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type BerthClient } from '../../client/index.ts';
import { dist, launch } from './launch.ts';

export { dist };

/** The built product, running as `npm start` runs it, on a data directory of its own. */
export interface Berth extends AsyncDisposable {
  readonly dataDir: string;
  readonly url: string;
  readonly token: string;
  readonly client: BerthClient;
  readonly pid: number;
  /** All that it wrote to standard error so far. */
  log(): string;
  /** SIGTERM, and wait for the end. */
  stop(): Promise<number | null>;
  /** SIGKILL: what a power cut does to this one process. */
  kill(): Promise<void>;
  /** Starts again on the same data. */
  start(): Promise<void>;
}

export interface BerthOptions {
  env?: Record<string, string>;
  dataDir?: string;
  /** Runs as this uid and gid; only root can ask for it. */
  uid?: number;
}

export async function startBerth(options: BerthOptions = {}): Promise<Berth> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'berth-e2e-')));
  const { uid } = options;
  if (uid !== undefined) await chown(dataDir, uid, uid);
  let child: ChildProcess | undefined;
  let written = '';
  let url = '';
  let token = '';
  let client: BerthClient | undefined;
  // The port is chosen once, so that runner, viewers and links come back to the same address after a restart.
  let port = '0';

  async function start(): Promise<void> {
    const { child: next, ready } = launch({
      dataDir,
      env: { PORT: port, ...options.env },
      uid,
      heard: (text) => (written += text),
      written: () => written,
    });
    child = next;
    url = await ready;
    port = new URL(url).port;
    token = (JSON.parse(await readFile(join(dataDir, 'local.json'), 'utf8')) as { token: string })
      .token;
    client = createClient({ url, token: () => token });
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const last = child;
    if (last === undefined || last.exitCode !== null || last.signalCode !== null)
      return last?.exitCode ?? null;
    const gone = once(last, 'exit') as Promise<[number | null]>;
    last.kill(signal);
    return (await gone)[0];
  }

  await start();
  return {
    dataDir,
    get url() {
      return url;
    },
    get token() {
      return token;
    },
    get client() {
      if (client === undefined) throw new Error('not started');
      return client;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    log: () => written,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
    start,
    async [Symbol.asyncDispose]() {
      if (child?.exitCode !== null || child.signalCode !== null)
        await start().catch(() => undefined);
      const sessions = await client?.sessions.list({ limit: 200 }).catch(() => undefined);
      for (const session of sessions?.items ?? [])
        await client?.sessions.remove(session.id).catch(() => undefined);
      await until(
        async () => (await client?.sessions.list({ limit: 1 }))?.items.length === 0,
        10_000,
      ).catch(() => undefined);
      await end('SIGTERM');
      await endRunner(dataDir);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The runner outlives the control plane on purpose; a test ends it. */
export async function runnerPid(dataDir: string): Promise<number | undefined> {
  const file = join(dataDir, 'runner', 'runner.pid');
  if (!existsSync(file)) return undefined;
  const pid = Number.parseInt(/\d+/.exec(await readFile(file, 'utf8'))?.[0] ?? '', 10);
  return Number.isInteger(pid) ? pid : undefined;
}
export async function endRunner(dataDir: string): Promise<void> {
  const pid = await runnerPid(dataDir);
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Looks every 50 ms until it holds. */
export async function until(
  check: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what = 'the condition',
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > end)
      throw new Error(`${what} did not hold within ${String(timeoutMs)} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
