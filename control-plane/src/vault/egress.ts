import { fork, type ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { Store } from '../store/index.ts';
import { insertEgressEvents, sweepEgressEvents } from './egress.store.ts';
import type { EgressRecord, FromProxy, ToProxy } from './proxy/messages.ts';
import type { EgressPolicy } from './proxy/policy.ts';

const limits = {
  startMs: 10_000,
  restartMs: 500,
  /** Records wait this long, or for this many, before they are stored together; more than `heldMax` while Postgres is away: the oldest are dropped and counted. */
  flushMs: 1_000,
  flushCount: 200,
  heldMax: 10_000,
  /** Rows that are too old go so often, so many in one statement. */
  sweepEveryMs: 3_600_000,
  sweepRows: 5_000,
} as const;

export interface Egress extends AsyncDisposable {
  readonly socketPath: string;
  setPolicy(policy: EgressPolicy): void;
  forget(sessionId: string): void;
}

/** Starts the egress proxy as a child process and keeps it running; its records go to Postgres and, one line each, to the log. */
export async function startEgress(options: {
  script: string;
  socketPath: string;
  trusted: string;
  store: Store;
  clock: Clock;
  /** Rows of connections are kept so long. */
  keepMs: number;
  newId: NewId;
  logger: Logger;
}): Promise<Egress> {
  const { script, socketPath, trusted, store, clock, keepMs, newId } = options;
  const logger = options.logger.child({ part: 'vault' });
  const policies = new Map<string, EgressPolicy>();
  let child: ChildProcess | undefined;
  let closing = false;
  let restart: NodeJS.Timeout | undefined;
  let held: EgressRecord[] = [];
  let flushing = Promise.resolve();

  const tell = (message: ToProxy): void => {
    if (child?.connected === true) child.send(message);
  };

  async function flush(): Promise<void> {
    const batch = held.splice(0, limits.flushCount);
    if (batch.length === 0) return;
    try {
      await insertEgressEvents(
        store,
        batch.map((record) => ({ id: newId(), record })),
      );
    } catch (error) {
      held = [...batch, ...held].slice(-limits.heldMax);
      logger.warn({ err: error, held: held.length }, 'egress records wait for the database');
    }
  }
  const ticker = setInterval(() => {
    flushing = flushing.then(flush);
  }, limits.flushMs);
  ticker.unref();

  async function sweep(): Promise<void> {
    try {
      let more = true;
      while (more && !closing)
        more = await sweepEgressEvents(store, clock.now() - keepMs, limits.sweepRows);
    } catch (error) {
      logger.warn({ err: error }, 'old egress records were not swept; the next sweep does it');
    }
  }
  let sweeping = sweep();
  const sweeper = setInterval(() => {
    sweeping = sweeping.then(sweep);
  }, limits.sweepEveryMs);
  sweeper.unref();

  function take(message: FromProxy): void {
    if (message.op !== 'egress') return;
    const { sessionId, host, port, outcome, reason, bytesUp, bytesDown, ms } = message.record;
    logger.info({ sessionId, host, port, outcome, reason, bytesUp, bytesDown, ms }, 'egress');
    held.push(message.record);
    if (held.length >= limits.flushCount) flushing = flushing.then(flush);
  }

  /** Resolves when it listens; rejects with its own sentence when it cannot. */
  async function launch(): Promise<void> {
    // An empty environment: nothing of the control plane's is this process's business.
    const next = fork(script, [], { env: {}, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child = next;
    await new Promise<void>((ready, failed) => {
      const timer = setTimeout(
        () => failed(new Error('the egress proxy did not start in time')),
        limits.startMs,
      );
      next.on('message', (message: FromProxy) => {
        if (message.op === 'listening') ready();
        else if (message.op === 'refused')
          failed(new Error(`the egress proxy cannot start: ${message.detail}`));
        else take(message);
      });
      next.once('exit', (code, signal) => {
        clearTimeout(timer);
        failed(new Error(`the egress proxy ended (${String(signal ?? code)})`));
        if (!closing) onExit(code, signal);
      });
      next.once('error', failed);
      tell({ op: 'start', socketPath, trusted });
    });
    for (const policy of policies.values()) tell({ op: 'policy', policy });
  }

  function onExit(code: number | null, signal: string | null): void {
    logger.error({ code, signal }, 'the egress proxy ended; starting it again');
    restart = setTimeout(() => {
      launch().catch((error: unknown) =>
        logger.error({ err: error }, 'the egress proxy did not come back'),
      );
    }, limits.restartMs);
  }

  await launch();
  return {
    socketPath,
    setPolicy: (policy) => {
      policies.set(policy.sessionId, policy);
      tell({ op: 'policy', policy });
    },
    forget: (sessionId) => {
      policies.delete(sessionId);
      tell({ op: 'forget', sessionId });
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      clearTimeout(restart);
      clearInterval(ticker);
      clearInterval(sweeper);
      const last = child;
      if (last?.exitCode === null && last.signalCode === null) {
        const gone = new Promise((done) => last.once('exit', done));
        if (last.connected) last.disconnect();
        await gone;
      }
      await Promise.all([flushing, sweeping]);
      await flush();
    },
  };
}
