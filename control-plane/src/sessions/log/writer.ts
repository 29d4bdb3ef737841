import type { Logger } from 'pino';
import type pg from 'pg';
import type { Stored } from './entry.ts';
import type { OpenTexts } from './fold.ts';
import { limits as defaults } from './limits.ts';
import { Lane } from './lane.ts';
import { SessionLog, SessionLost } from './session-log.ts';
import { noMetrics, type LogMetrics } from './metrics.ts';

/** What `web` counts; every call is cheap. */
export interface LogWriterOptions {
  connect: () => Promise<pg.Client>;
  logger: Logger;
  /** After the commit, in order, before anybody's `done`. */
  committed: (sessionId: string, events: readonly Stored[]) => void;
  lost: (sessionId: string, log: SessionLog, lost: SessionLost) => void;
  metrics?: LogMetrics;
  lanes?: number;
  limits?: Partial<{ [K in keyof typeof defaults]: number }>;
}

/**
 * The only writer of session_event. Groups what all sessions of this process append into one statement: at once, and at most every 5 ms.
 * One statement is in flight per lane, and a session has one lane, so that one session never stands in two groups.
 */
export class LogWriter implements AsyncDisposable {
  readonly #lanes: readonly Lane[];
  readonly #options: LogWriterOptions;
  readonly #limits: { [K in keyof typeof defaults]: number };
  readonly #logs = new Map<string, SessionLog>();
  #bytes = 0;
  #drained: (() => void)[] = [];
  #closed = false;

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#limits = { ...defaults, ...options.limits };
    const lane = () =>
      new Lane({
        connect: options.connect,
        logger: options.logger,
        limits: this.#limits,
        metrics: options.metrics ?? noMetrics,
        committed: options.committed,
        released: (bytes) => this.#release(bytes),
        lose: (log, lost) => this.#lose(log, lost),
      });
    this.#lanes = Array.from({ length: options.lanes ?? 1 }, lane);
  }

  /** From now on this process writes the session, with the numbers that the raise of the epoch returned. */
  own(options: { sessionId: string; epoch: number; lastSeq: number; open: OpenTexts }): SessionLog {
    const lane = this.#laneOf(options.sessionId);
    const log = new SessionLog({
      ...options,
      wake: (self, bytes) => {
        this.#bytes += bytes;
        lane.wake(self);
      },
    });
    const before = this.#logs.get(options.sessionId);
    this.#logs.set(options.sessionId, log);
    if (before !== undefined)
      this.#release(before.lose(new SessionLost(options.sessionId, 'fenced')));
    if (this.#closed) log.lose(new SessionLost(options.sessionId, 'closed'));
    return log;
  }
  /** Nothing more is written to it here. */
  forget(sessionId: string): void {
    const log = this.#logs.get(sessionId);
    this.#logs.delete(sessionId);
    if (log !== undefined) this.#release(log.lose(new SessionLost(sessionId, 'closed')));
  }

  /** Above the high-water mark: whoever can wait should, until `drained`. */
  get full(): boolean {
    return this.#bytes > this.#limits.highWaterBytes;
  }
  drained(): Promise<void> {
    if (!this.full || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  #laneOf(sessionId: string): Lane {
    const lane = this.#lanes[Number.parseInt(sessionId.slice(-4), 16) % this.#lanes.length];
    if (lane === undefined) throw new RangeError(`not a session id: ${sessionId}`);
    return lane;
  }
  #release(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes > this.#limits.lowWaterBytes) return;
    for (const tell of this.#drained.splice(0)) tell();
  }
  #lose(log: SessionLog, lost: SessionLost): void {
    this.#release(log.lose(lost));
    if (this.#logs.get(log.sessionId) === log) this.#logs.delete(log.sessionId);
    this.#options.lost(log.sessionId, log, lost);
  }

  /** Everything that is queued is written first; what the database does not take within `graceMs` is dropped, unacknowledged. */
  async close(graceMs = 5_000): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#lanes.map((lane) => lane.close(graceMs)));
    for (const log of this.#logs.values()) log.lose(new SessionLost(log.sessionId, 'closed'));
    for (const tell of this.#drained.splice(0)) tell();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
