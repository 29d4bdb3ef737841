import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';

/** One that is restarted is back before anybody is told; what is asked meanwhile waits. */
const limits = { lookMs: 2_000, answerMs: 5_000, patienceMs: 10_000 } as const;

/**
 * A database that cannot be reached leaves viewers with a picture that stands still. After ten seconds of it they are told: `away` is called once for each
 * outage, whose end nobody needs to be told of, for they come back by themselves as soon as they can be let in.
 */
export function watchDatabase(options: {
  pool: { query(text: string): Promise<unknown> };
  away: () => void;
  logger: Pick<Logger, 'error' | 'info'>;
  /** Milliseconds that only go forward. */
  now?: () => number;
  times?: { lookMs: number; answerMs: number; patienceMs: number };
}): AsyncDisposable {
  const { pool, away, logger, now = () => performance.now(), times = limits } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  let answeredAt = now();
  let told = false;

  async function answers(): Promise<unknown> {
    const late = new AbortController();
    const deadline = pause(times.answerMs, 'late', {
      signal: AbortSignal.any([late.signal, signal]),
      ref: false,
    }).then(
      () => new Error('it does not answer'),
      () => undefined,
    );
    try {
      return await Promise.race([
        pool.query('select 1').then(
          () => null,
          (error: unknown) => error,
        ),
        deadline,
      ]);
    } finally {
      late.abort();
    }
  }

  async function look(): Promise<void> {
    const fault = await answers();
    if (signal.aborted) return;
    const silentMs = Math.round(now() - answeredAt);
    if (fault === null) {
      if (told) logger.info({ silentMs }, 'the database answers again');
      answeredAt = now();
      told = false;
    } else if (!told && silentMs > times.patienceMs) {
      told = true;
      logger.error({ err: fault, silentMs }, 'the database does not answer: viewers are sent away');
      away();
    }
  }
  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await look();
      await pause(times.lookMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
  const watching = watch();
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await watching;
    },
  };
}
