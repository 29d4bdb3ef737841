import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Stored } from './entry.ts';
import type { limits } from './limits.ts';
import { finish, SessionLost, type Pending, type SessionLog } from './session-log.ts';
import { faultOf } from './sqlstate.ts';
import { append, type Outcome } from './statement.ts';
import type { LogMetrics } from './metrics.ts';

interface Taken {
  readonly log: SessionLog;
  readonly pending: Pending[];
}
interface LaneOptions {
  connect: () => Promise<pg.Client>;
  logger: Logger;
  limits: { [K in keyof typeof limits]: number };
  metrics: LogMetrics;
  committed: (sessionId: string, events: readonly Stored[]) => void;
  released: (bytes: number) => void;
  lose: (log: SessionLog, lost: SessionLost) => void;
}

/** One connection with one statement in flight, for the sessions that it serves. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #closing = new AbortController();
  #client: pg.Client | null = null;
  #ready: SessionLog[] = [];
  #running = false;
  #timer: NodeJS.Timeout | null = null;
  #lastStart = 0;
  #oldest = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  wake(log: SessionLog): void {
    if (!log.queued) {
      log.queued = true;
      if (this.#ready.length === 0) this.#oldest = performance.now();
      this.#ready.push(log);
    }
    this.#schedule();
  }

  /** Leading edge: at once when the last group began longer than the window ago. */
  #schedule(): void {
    if (this.#running || this.#timer !== null || this.#ready.length === 0) return;
    const wait = this.#lastStart + this.#options.limits.windowMs - performance.now();
    if (wait < 0.5) {
      this.#running = true;
      // The rest of this tick still joins the group.
      setImmediate(() => this.#start());
    } else {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#running = true;
        this.#start();
      }, wait);
    }
  }
  #start(): void {
    this.#work = this.#run();
  }

  async #run(): Promise<void> {
    this.#lastStart = performance.now();
    const since = this.#oldest;
    const group = this.#take();
    // The queue may hold more: it waits since now.
    this.#oldest = this.#lastStart;
    try {
      await this.#commit(group, performance.now());
      this.#options.metrics.lag(performance.now() - since);
    } catch (error) {
      // A bug of ours: it must not stop the sessions that come after.
      this.#options.logger.error({ err: error }, 'the log writer failed');
      for (const taken of group) this.#lose(taken, 'failed', error);
    } finally {
      this.#running = false;
      this.#schedule();
    }
  }

  #take(): Taken[] {
    const { groupEvents, groupBytes } = this.#options.limits;
    const group: Taken[] = [];
    const rest: SessionLog[] = [];
    let events = 0;
    let bytes = 0;
    for (const log of this.#ready) {
      if (events >= groupEvents || bytes >= groupBytes) {
        rest.push(log);
        continue;
      }
      const pending = log.take(groupBytes - bytes);
      for (const unit of pending) {
        events += Math.max(1, unit.entries.length);
        bytes += unit.bytes;
      }
      if (log.idle) log.queued = false;
      else rest.push(log);
      if (pending.length > 0) group.push({ log, pending });
    }
    this.#ready = rest;
    return group;
  }

  /** Stores the group: repeats it through outages, splits it around a value that Postgres does not take. */
  async #commit(group: Taken[], since: number): Promise<void> {
    const { limits, logger, metrics } = this.#options;
    let delay = limits.retryFirstMs;
    for (;;) {
      // A session that was lost on the way may not use its batch number again: whether it was committed is not known.
      for (const taken of group.filter(({ log }) => log.lost !== null))
        this.#lose(taken, taken.log.lost?.reason ?? 'failed');
      group = group.filter(({ log }) => log.lost === null);
      if (group.length === 0) return;
      const batches = group.map(({ log, pending }) => log.batchOf(pending));
      try {
        const startedMs = performance.now();
        const outcomes = await this.#send(batches);
        const events = batches.reduce((sum, { entries }) => sum + entries.length, 0);
        metrics.group(group.length, events, performance.now() - startedMs);
        group.forEach((taken, i) => this.#settle(taken, outcomes[i]));
        return;
      } catch (error) {
        const fault = faultOf(error);
        metrics.retry(fault);
        if (fault === 'transient') {
          const waitedMs = performance.now() - since;
          logger.warn({ err: error, waitedMs, sessions: group.length }, 'the log waits');
          if (waitedMs > limits.retryForMs || this.#closing.signal.aborted) {
            for (const taken of group) this.#lose(taken, 'failed', error);
            return;
          }
          // Another connection; the same group with the same batch numbers, so that it does not matter whether it was committed.
          await this.#disconnect();
          await pause(delay, undefined, { signal: this.#closing.signal }).catch(() => undefined);
          delay = Math.min(delay * 2, limits.retryMaxMs);
          continue;
        }
        if (group.length > 1) {
          const middle = group.length >> 1;
          await this.#commit(group.slice(0, middle), since);
          await this.#commit(group.slice(middle), since);
          return;
        }
        const only = group[0];
        if (only === undefined) return;
        if (fault === 'bug') {
          logger.error({ err: error, sessionId: only.log.sessionId }, 'a session cannot be stored');
          this.#lose(only, 'failed', error);
          return;
        }
        const middle = only.pending.length >> 1;
        if (middle > 0) {
          // Nothing was committed under this batch number, so the first half may use it.
          await this.#commit([{ log: only.log, pending: only.pending.slice(0, middle) }], since);
          await this.#commit([{ log: only.log, pending: only.pending.slice(middle) }], since);
          return;
        }
        const culprit = only.pending[0];
        if (culprit === undefined) return;
        logger.warn({ err: error, sessionId: only.log.sessionId }, 'an event was refused');
        only.log.refuse(culprit, 'the database does not take it');
      }
    }
  }

  async #send(batches: Parameters<typeof append>[1]): Promise<Outcome[]> {
    this.#client ??= await this.#connect();
    const client = this.#client;
    // A bare timer: an abort signal would make an error with its stack for each statement that was answered in time.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error('timeout: no answer from the database')),
        this.#options.limits.statementMs,
      );
    });
    try {
      return await Promise.race([append(client, batches), late]);
    } finally {
      clearTimeout(timer);
    }
  }
  async #connect(): Promise<pg.Client> {
    const client = await this.#options.connect();
    const gone = () => {
      if (this.#client === client) this.#client = null;
    };
    client.on('error', gone);
    client.on('end', gone);
    return client;
  }
  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    // A broken connection may never answer the farewell.
    if (client !== null) await Promise.race([client.end().catch(() => undefined), pause(100)]);
  }

  #settle(taken: Taken, outcome: Outcome | undefined): void {
    const { log, pending } = taken;
    const first = pending[0];
    if (outcome === undefined || first === undefined) return;
    if (outcome.result === 'fenced' || outcome.result === 'conflict') {
      this.#lose(taken, outcome.result);
      return;
    }
    if (outcome.from !== first.from)
      throw new Error(
        `session ${log.sessionId}: stored from ${String(outcome.from)}, numbered from ${String(first.from)}`,
      );
    log.batch += 1;
    const events = log.storedOf(pending);
    if (events.length > 0) this.#options.committed(log.sessionId, events);
    this.#options.released(finish(pending, null));
  }
  #lose({ log, pending }: Taken, reason: SessionLost['reason'], cause?: unknown): void {
    const lost = new SessionLost(log.sessionId, reason, cause);
    this.#options.released(finish(pending, lost));
    this.#options.lose(log, lost);
  }

  async close(graceMs: number): Promise<void> {
    const grace = setTimeout(() => this.#closing.abort(), graceMs);
    while (this.#running || this.#timer !== null || this.#ready.length > 0) {
      await this.#work;
      await pause(1);
    }
    clearTimeout(grace);
    await this.#disconnect();
  }
}
