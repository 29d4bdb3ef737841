import type { Logger } from 'pino';
import type { Stored } from './entry.ts';
import { Feed } from './feed.ts';
import type { EventTable } from './replay.ts';
import { Subscription, type SubscriptionReader } from './subscription.ts';

/** The feeds of this process: one per session that somebody watches here. */
export class Feeds {
  readonly #table: EventTable;
  readonly #logger: Logger;
  readonly #feeds = new Map<string, { feed: Feed; users: number }>();

  constructor(options: { table: EventTable; logger: Logger }) {
    this.#table = options.table;
    this.#logger = options.logger;
  }

  local(sessionId: string, events: readonly Stored[]): void {
    this.#feeds.get(sessionId)?.feed.local(events);
  }
  /** Hints for sessions that nobody watches here cost nothing. */
  hint(sessionId: string, seq: number): void {
    this.#feeds.get(sessionId)?.feed.hint(seq);
  }
  /** Asks for the end of each watched log: covers hints that were lost. */
  async poll(): Promise<void> {
    for (const [sessionId, { feed }] of [...this.#feeds])
      feed.hint((await this.#table.lastSeq(sessionId)) ?? 0);
  }

  async subscribe(
    sessionId: string,
    after: number | null,
    reader: SubscriptionReader,
  ): Promise<{ firstSeq: number; lastSeq: number; close(): void }> {
    const shared = this.#acquire(sessionId);
    let open = true;
    const close = () => {
      if (!open) return;
      open = false;
      subscription.close();
      this.#release(sessionId, shared);
    };
    const subscription = new Subscription({
      feed: shared.feed,
      table: this.#table,
      sessionId,
      after,
      reader: {
        events: (batch) => reader.events(batch),
        ready: async () => reader.ready?.(),
        live: (seq) => reader.live(seq),
        resync: (seq) => {
          close();
          reader.resync(seq);
        },
      },
    });
    try {
      const range = await subscription.register();
      // Later than the caller's next line, which tells the reader what it subscribed to.
      setImmediate(() => {
        subscription.run().catch((error: unknown) => {
          this.#logger.warn({ err: error, sessionId }, 'a replay failed');
          close();
          reader.resync(subscription.last);
        });
      });
      return { ...range, close };
    } catch (error) {
      close();
      throw error;
    }
  }

  #acquire(sessionId: string): { feed: Feed; users: number } {
    let shared = this.#feeds.get(sessionId);
    if (shared === undefined) {
      const failed = (error: unknown) =>
        this.#logger.warn({ err: error, sessionId }, 'a feed waits for the database');
      shared = { feed: new Feed({ sessionId, table: this.#table, failed }), users: 0 };
      this.#feeds.set(sessionId, shared);
    }
    shared.users += 1;
    return shared;
  }
  #release(sessionId: string, shared: { feed: Feed; users: number }): void {
    shared.users -= 1;
    if (shared.users > 0) return;
    shared.feed.close();
    if (this.#feeds.get(sessionId) === shared) this.#feeds.delete(sessionId);
  }

  close(): void {
    for (const { feed } of this.#feeds.values()) feed.close();
    this.#feeds.clear();
  }
}
