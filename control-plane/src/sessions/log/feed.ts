import type { Stored } from './entry.ts';
import { limits } from './limits.ts';
import type { EventTable } from './replay.ts';

/** Gets what a feed publishes. */
export interface FeedReader {
  live(events: readonly Stored[]): void;
  /** The rest up to `seq` is superseded: there is nothing to send. */
  skipTo(seq: number): void;
}

/**
 * One per process and session with viewers. It alone knows `published`, the last number handed to the viewers of this process, and moves it only over
 * what is committed. The owner's writer hands its rows in by `local`; other processes' rows are pulled from the table after a hint.
 */
export class Feed {
  readonly readers = new Set<FeedReader>();
  readonly #sessionId: string;
  readonly #table: EventTable;
  readonly #failed: (error: unknown) => void;
  #published = -1;
  #want = 0;
  #pull: Promise<void> | null = null;
  #opening: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: { sessionId: string; table: EventTable; failed: (error: unknown) => void }) {
    this.#sessionId = options.sessionId;
    this.#table = options.table;
    this.#failed = options.failed;
  }

  get published(): number {
    return this.#published;
  }

  /** Learns where the log ends. A reader that was registered before it misses nothing after that end. */
  open(): Promise<void> {
    if (this.#published >= 0) return Promise.resolve();
    this.#opening ??= this.#table
      .lastSeq(this.#sessionId)
      .then((lastSeq) => {
        if (this.#published < 0) this.#published = lastSeq ?? 0;
        this.#work();
      })
      .finally(() => {
        this.#opening = null;
      });
    return this.#opening;
  }

  /** Committed by this process's writer. */
  local(events: readonly Stored[]): void {
    const first = events[0];
    const last = events.at(-1);
    if (first === undefined || last === undefined) return;
    if (this.#published >= 0 && this.#pull === null && first.seq === this.#published + 1)
      this.#publish(events, last.seq);
    else this.hint(last.seq);
  }

  /** The log reaches `seq` now. May come late, twice, out of order or never: a poll comes after. */
  hint(seq: number): void {
    if (seq <= this.#want) return;
    this.#want = seq;
    this.#work();
  }

  #work(): void {
    if (this.#closed || this.#pull !== null || this.#retry !== null) return;
    if (this.#published < 0 || this.#want <= this.#published) return;
    this.#pull = this.#pullAll().then(
      () => {
        this.#pull = null;
        this.#work();
      },
      (error: unknown) => {
        this.#pull = null;
        this.#failed(error);
        this.#retry = setTimeout(() => {
          this.#retry = null;
          this.#work();
        }, limits.feedRetryMs);
      },
    );
  }
  async #pullAll(): Promise<void> {
    while (this.#want > this.#published && !this.#closed) {
      const to = this.#want;
      const events = await this.#table.page(this.#sessionId, this.#published, to);
      const last = events.at(-1);
      if (last !== undefined) this.#publish(events, last.seq);
      if (events.length < limits.pageRows && this.#published < to) {
        this.#published = to;
        for (const reader of this.readers) reader.skipTo(to);
      }
    }
  }
  #publish(events: readonly Stored[], lastSeq: number): void {
    this.#published = lastSeq;
    for (const reader of this.readers) reader.live(events);
  }

  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.readers.clear();
  }
}
