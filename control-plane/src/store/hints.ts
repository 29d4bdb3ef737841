// LISTEN/NOTIFY on one connection of its own. A hint carries no data, only "look again"; it may come late, twice or never, so every
// reader has a slow poll besides. After a reconnect we listen first and then say "everything": what was missed meanwhile is looked up.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import pg from 'pg';
import { HintQueue, isHint, unpack } from './hint-queue.ts';
import type { Store } from './open-store.ts';

const limits = {
  /** NOTIFY takes a global lock at commit, so hints are collected. */
  collectMs: 10,
  waitingMax: 20_000,
  retryMs: 50,
  retryMsMax: 2_000,
  /** A connection that died without a word is noticed by this. */
  heartbeatMs: 10_000,
  heartbeatAnswerMs: 5_000,
};

export type Hint = readonly string[] | 'everything';
export type HintListener = (hint: Hint) => void;

export interface Hints extends AsyncDisposable {
  /** Soon, and once for all that was said within 10 ms. Of hints with the same `key` only the last is sent; default key: the hint itself. */
  publish(channel: string, hint: string, key?: string): void;
  /** Resolves when nothing said from now on is missed; returns the way to stop. The process hears its own hints too. */
  listen(channel: string, listener: HintListener): Promise<() => void>;
}

export async function createHints(parts: {
  store: Pick<Store, 'connect'>;
  logger: Logger;
}): Promise<Hints> {
  const hints = new PostgresHints(parts.store, parts.logger);
  await hints.open();
  return hints;
}

class PostgresHints implements Hints {
  readonly #store: Pick<Store, 'connect'>;
  readonly #logger: Logger;
  readonly #queue = new HintQueue(limits.waitingMax);
  readonly #listeners = new Map<string, Set<HintListener>>();
  readonly #abort = new AbortController();
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #reconnecting: Promise<void> = Promise.resolve();
  #lastQuery: Promise<unknown> = Promise.resolve();

  constructor(store: Pick<Store, 'connect'>, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  publish(channel: string, hint: string, key = hint): void {
    assert(isHint(hint), 'a hint is one short line');
    if (!this.#queue.add(channel, key, hint)) {
      this.#logger.debug({ channel }, 'hint dropped: too many wait');
    }
    this.#schedule();
  }

  async listen(channel: string, listener: HintListener): Promise<() => void> {
    const known = this.#listeners.get(channel);
    const listeners = known ?? new Set();
    listeners.add(listener);
    this.#listeners.set(channel, listeners);
    // Without a connection now, the reconnect listens to every channel of the map.
    const client = this.#client;
    if (!known && client) {
      await this.#inTurn(() => client.query(`listen ${pg.escapeIdentifier(channel)}`)).catch(
        ignore,
      );
    }
    return () => listeners.delete(listener);
  }

  async open(): Promise<void> {
    const client = await this.#store.connect('hints');
    client.on('notification', ({ channel, payload }) => {
      this.#deliver(channel, unpack(payload ?? ''));
    });
    client.once('end', () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      clearInterval(this.#heartbeat);
      if (this.#abort.signal.aborted) return;
      this.#logger.warn('the connection for hints is gone: connecting again');
      this.#reconnecting = this.#reconnect();
    });
    try {
      for (const channel of this.#listeners.keys()) {
        await client.query(`listen ${pg.escapeIdentifier(channel)}`);
      }
    } catch (error) {
      await client.end().catch(ignore);
      throw error;
    }
    this.#client = client;
    this.#heartbeat = setInterval(() => this.#beat(client), limits.heartbeatMs);
    this.#heartbeat.unref();
    this.#schedule();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    await this.#sending;
    await this.#reconnecting;
    await this.#client?.end().catch(ignore);
  }

  async #reconnect(): Promise<void> {
    for (let pauseMs = limits.retryMs; !this.#abort.signal.aborted;) {
      try {
        await this.open();
        for (const channel of this.#listeners.keys()) this.#deliver(channel, 'everything');
        return;
      } catch (error) {
        this.#logger.debug({ err: error }, 'no connection for hints yet');
      }
      const jitter = 0.5 + Math.random() / 2;
      await sleep(pauseMs * jitter, undefined, { signal: this.#abort.signal }).catch(ignore);
      pauseMs = Math.min(pauseMs * 2, limits.retryMsMax);
    }
  }

  #deliver(channel: string, hint: Hint): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      try {
        listener(hint);
      } catch (error) {
        this.#logger.error({ err: error, channel }, 'a listener for hints failed');
      }
    }
  }

  #schedule(): void {
    if (this.#timer || this.#sending || this.#queue.size === 0 || !this.#client) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send().finally(() => {
        this.#sending = undefined;
        this.#schedule();
      });
    }, limits.collectMs);
  }

  async #send(): Promise<void> {
    const client = this.#client;
    if (!client || this.#abort.signal.aborted) return;
    const notifications = this.#queue.take();
    try {
      await this.#inTurn(() =>
        client.query(
          'select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as n(channel, payload)',
          [notifications.map((n) => n.channel), notifications.map((n) => n.payload)],
        ),
      );
    } catch (error) {
      // Lost with the connection. Other processes poll; ours is told to look at everything after the reconnect.
      this.#logger.debug({ err: error }, 'hints were not sent');
    }
  }

  /** A client takes one query at a time. */
  #inTurn(query: () => Promise<unknown>): Promise<unknown> {
    const mine = this.#lastQuery.then(query);
    this.#lastQuery = mine.catch(ignore);
    return mine;
  }

  #beat(client: pg.Client): void {
    const beat = { text: 'select 1', query_timeout: limits.heartbeatAnswerMs };
    this.#inTurn(() => client.query(beat)).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the connection for hints does not answer');
      client.end().catch(ignore); // `end` follows, and connects again
    });
  }
}

const ignore = (): undefined => undefined;
