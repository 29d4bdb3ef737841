import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import { writeLinkFile, writeWhole } from './link-file.ts';
import { processStart } from './process-identity.ts';
import type { RunnerIdentity } from './runners.ts';

const limits = {
  /** How often the runner's life is looked at. */
  lookMs: 250,
  backoffFirstMs: 100,
  backoffMostMs: 10_000,
  /** A runner that lived so long died of something else than its start. */
  steadyMs: 30_000,
  /** A runner of another build gets so long to end in order. */
  endMs: 15_000,
  logBytes: 8 * 1024 * 1024,
} as const;

const pidFile = z.object({ pid: z.int(), startedAt: z.string(), build: z.string() });
type Recorded = z.infer<typeof pidFile>;

export interface LocalRunner extends AsyncDisposable {
  /** Other processes of the control plane came or went: the runner may dial any of these. */
  dial(urls: readonly string[]): Promise<void>;
  /** The process that serves now; undefined: it is being started again. */
  pid(): number | undefined;
  /** Ends the runner too. Leaving the scope only stops watching: the runner and its agents work on. */
  end(): Promise<void>;
}

/**
 * This machine's one runner: a detached process that outlives the control plane and is found again by its pid and start time.
 *
 * A runner of another build (by the hash of its scripts) is asked to end as soon as no turn runs, and the present build is started in its place: its journal
 * and the sandboxes' agentd live on, so nothing is lost, but a running turn would be cut. One that speaks another version of the link is replaced at once: a running
 * turn is cut, settled by looking, and goes on.
 */
export async function startLocalRunner(options: {
  stateDir: string;
  runnerScript: string;
  nodeBinary: string;
  /** Where the control plane listens, for the runner: `http://127.0.0.1:3000`. Several: one after the other. */
  urls: readonly string[];
  identity: RunnerIdentity;
  /** A turn runs: a runner of another build may not be replaced now. */
  busy: () => Promise<boolean>;
  /** Nothing that the runner says is understood here: it is replaced at once, because nobody can know when it is idle. */
  foreign: () => boolean;
  logger: Logger;
}): Promise<LocalRunner> {
  const { stateDir, runnerScript, nodeBinary, identity, busy } = options;
  const logger = options.logger.child({ part: 'local-runner' });
  const pidPath = join(stateDir, 'runner.pid');
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const dial = async (urls: readonly string[]): Promise<void> => {
    const [url] = urls;
    if (url !== undefined) await writeLinkFile(stateDir, { url, urls: [...urls], ...identity });
  };
  await dial(options.urls);
  const build = await buildOf(dirname(runnerScript));
  const stopped = new AbortController();
  const alive = async (one: Recorded): Promise<boolean> =>
    (await processStart(one.pid)) === one.startedAt;

  let current: Recorded | undefined = await found();
  let backoffMs: number = limits.backoffFirstMs;

  /** The one we recorded, or, when that was lost, the one that holds the state's lock: a second one could not start beside it. */
  async function found(): Promise<Recorded | undefined> {
    for (const one of [await recorded(pidPath), await lockHolder(join(stateDir, 'runner.lock'))]) {
      if (one !== undefined && (await alive(one))) return one;
    }
    return undefined;
  }

  async function launch(): Promise<Recorded | undefined> {
    const there = await found();
    if (there !== undefined) return there;
    const logPath = join(stateDir, 'runner.out');
    await rotate(logPath);
    const log = await open(logPath, 'a', 0o600);
    try {
      // A session of its own, no terminal, and nothing of the control plane's environment: that holds keys.
      const child = spawn(nodeBinary, [runnerScript, '--state', stateDir], {
        cwd: stateDir,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', NODE_ENV: 'production' },
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      const pid = child.pid;
      const startedAt = pid === undefined ? undefined : await processStart(pid);
      if (pid === undefined || startedAt === undefined) return undefined; // it died at once
      const one = { pid, startedAt, build };
      await writeWhole(pidPath, JSON.stringify(one));
      logger.info({ pid }, 'runner started');
      return one;
    } finally {
      await log.close();
    }
  }

  /** SIGTERM, then SIGKILL when it does not end. */
  async function end(one: Recorded): Promise<void> {
    signalTo(one, 'SIGTERM');
    const deadline = AbortSignal.timeout(limits.endMs);
    while (await alive(one)) {
      if (deadline.aborted) signalTo(one, 'SIGKILL');
      await pause(50);
    }
  }

  async function watch(): Promise<void> {
    let aliveMs = 0;
    while (!stopped.signal.aborted) {
      if (current !== undefined && (await alive(current))) {
        aliveMs += limits.lookMs;
        if (aliveMs >= limits.steadyMs) backoffMs = limits.backoffFirstMs;
        if (current.build !== build && (options.foreign() || !(await busy()))) {
          logger.info({ pid: current.pid }, 'replacing the runner of another build');
          await end(current);
          current = await launch();
          aliveMs = 0;
        }
        await sleep(limits.lookMs);
        continue;
      }
      if (current !== undefined) {
        logger.error({ pid: current.pid, backoffMs }, 'the runner died; starting it again');
        current = undefined;
      }
      await sleep(backoffMs);
      if (isStopped()) return;
      backoffMs = Math.min(backoffMs * 2, limits.backoffMostMs);
      aliveMs = 0;
      current = await launch();
    }
  }
  const isStopped = () => stopped.signal.aborted;
  const sleep = (ms: number): Promise<void> =>
    pause(ms, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);

  if (current !== undefined) logger.info({ pid: current.pid }, 'runner found alive');
  else current = await launch();
  const watching = (async () => {
    while (!stopped.signal.aborted) {
      try {
        await watch();
      } catch (error) {
        logger.error({ err: error }, 'the runner could not be watched; trying again');
        await sleep(limits.backoffMostMs);
      }
    }
  })();

  async function stopWatching(): Promise<void> {
    stopped.abort();
    await watching;
  }
  return {
    dial,
    pid: () => current?.pid,
    async end() {
      await stopWatching();
      if (current !== undefined && (await alive(current))) await end(current);
    },
    [Symbol.asyncDispose]: stopWatching,
  };
}

/** Of all that a runner loads: its threads have files of their own. */
async function buildOf(dir: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(dir)).sort())
    if (name.endsWith('.mjs')) hash.update(await readFile(join(dir, name)));
  return hash.digest('hex');
}

async function recorded(path: string): Promise<Recorded | undefined> {
  try {
    const parsed = z.safeParse(pidFile, JSON.parse(await readFile(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // none yet, or not whole: whoever runs is told by the link that it was replaced
  }
}

/** The runner writes `<pid> <start>`. Its build is not known, so it counts as another. */
async function lockHolder(path: string): Promise<Recorded | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [, pid, startedAt] = /^(\d+) (\d+)$/.exec(text) ?? [];
  return pid === undefined || startedAt === undefined
    ? undefined
    : { pid: Number(pid), startedAt, build: '' };
}

function signalTo(one: Recorded, signal: NodeJS.Signals): void {
  try {
    process.kill(one.pid, signal);
  } catch {
    // it ended meanwhile
  }
}

async function rotate(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > limits.logBytes) await rename(path, `${path}.1`);
}
