import type { Stored } from './entry.ts';
import type { Feed, FeedReader } from './feed.ts';
import { limits } from './limits.ts';
import type { EventTable } from './replay.ts';

/** Same shape as the service's `LogReader`. */
export interface SubscriptionReader {
  events(batch: readonly Stored[]): boolean;
  ready?(): Promise<void>;
  live(seq: number): void;
  resync(seq: number): void;
}

/**
 * One reader of one session: first what is stored, then what comes, without gap or repeat.
 * 1. Register with the feed: from now on live rows are kept. 2. `target` = what the feed has published. 3. Read the table over (last, target].
 * 4. In one tick send the kept rows above `last` and go live. When too much was kept, drop it and go on from 2 with another target.
 * Why it holds: every committed row up to `target` is in the table; every row above passes the feed after the registration; `last` only grows.
 */
export class Subscription implements FeedReader {
  readonly #feed: Feed;
  readonly #table: EventTable;
  readonly #sessionId: string;
  readonly #reader: SubscriptionReader;
  readonly #bufferBytes: number;
  #last: number;
  #state: 'replay' | 'live' | 'closed' = 'replay';
  #kept: Stored[] = [];
  #keptBytes = 0;
  #overflowed = false;

  /** `after`: null = live only. */
  constructor(options: {
    feed: Feed;
    table: EventTable;
    sessionId: string;
    reader: SubscriptionReader;
    after: number | null;
    bufferBytes?: number;
  }) {
    this.#feed = options.feed;
    this.#table = options.table;
    this.#sessionId = options.sessionId;
    this.#reader = options.reader;
    this.#last = options.after ?? -1;
    this.#bufferBytes = options.bufferBytes ?? limits.replayBufferBytes;
  }

  /** The last event that was sent, or passed over. */
  get last(): number {
    return Math.max(0, this.#last);
  }

  /** Registered when it resolves; nothing was sent yet. */
  async register(): Promise<{ firstSeq: number; lastSeq: number }> {
    this.#feed.readers.add(this);
    await this.#feed.open();
    const lastSeq = this.#feed.published;
    if (this.#last < 0) this.#last = lastSeq;
    return { firstSeq: this.#last + 1, lastSeq };
  }

  /** Resolves when it went live or was closed. */
  async run(): Promise<void> {
    for (;;) {
      const target = this.#feed.published;
      while (this.#last < target) {
        await this.#reader.ready?.();
        if (this.#state === 'closed') return;
        const events = await this.#table.page(this.#sessionId, this.#last, target);
        if (!this.#running()) return;
        if (events.length > 0 && !this.#send(events)) return;
        if (events.length < limits.pageRows) this.#last = target;
      }
      if (!this.#running()) return;
      if (this.#overflowed) {
        this.#overflowed = false;
        continue;
      }
      const kept = this.#kept.filter(({ seq }) => seq > this.#last);
      this.#kept = [];
      this.#keptBytes = 0;
      if (kept.length > 0 && !this.#send(kept)) return;
      this.#state = 'live';
      this.#reader.live(this.#last);
      return;
    }
  }
  // A method, because the compiler believes that a field keeps its value over an `await`.
  #running(): boolean {
    return this.#state !== 'closed';
  }

  live(events: readonly Stored[]): void {
    if (this.#state === 'live') {
      const rest =
        (events[0]?.seq ?? 0) > this.#last ? events : events.filter((e) => e.seq > this.#last);
      if (rest.length > 0) this.#send(rest);
      return;
    }
    if (this.#overflowed) return;
    this.#keptBytes += events.reduce((sum, { json }) => sum + json.length, 0);
    if (this.#keptBytes > this.#bufferBytes) {
      this.#overflowed = true;
      this.#kept = [];
      this.#keptBytes = 0;
    } else this.#kept.push(...events);
  }
  skipTo(seq: number): void {
    if (this.#state === 'live' && seq > this.#last) this.#last = seq;
  }

  /** False: the reader is too slow. It is told where it stands, and dropped. */
  #send(events: readonly Stored[]): boolean {
    const taken = this.#reader.events(events);
    this.#last = events.at(-1)?.seq ?? this.#last;
    if (taken) return true;
    this.close();
    this.#reader.resync(this.#last);
    return false;
  }

  close(): void {
    this.#state = 'closed';
    this.#kept = [];
    this.#feed.readers.delete(this);
  }
}
