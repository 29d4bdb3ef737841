import { Problem } from '@berth/contract';
import type { SessionStatus } from '@berth/contract';
import type pg from 'pg';
import { sessionLimits } from './limits.ts';
import type { Entry } from './log/entry.ts';
import { raiseEpoch, readEpoch, skipSource } from './log/heads.ts';
import { SessionLost, type SessionLog } from './log/session-log.ts';
import type { LogWriter } from './log/writer.ts';
import { readState } from './facts.store.ts';
import { loseJournal } from './journal-loss.store.ts';
import { isTransient } from './log/sqlstate.ts';
import type { LinkClaim, Seats } from './ports.ts';
import { inTransaction, throughOutages, type Sql } from './sql.ts';

/** Another process writes this session: what the rows say is left for it to look at (`commands.ts`). */
export class Elsewhere extends Error {
  override readonly name = 'Elsewhere';
  constructor(sessionId: string) {
    super(`another process has the link of session ${sessionId}`);
  }
}

/** A session that this process writes. */
export interface Owned {
  readonly sessionId: string;
  readonly teamId: string;
  log: SessionLog;
  sourceId: string | null;
  /** Number of the runner's last item that was queued, and of the last that is committed. */
  received: number;
  committed: number;
  status: SessionStatus;
  /** When the runner was last heard; when its link was first missed. */
  heardAt: number;
  missedAt: number | null;
  /** Approvals whose end was said here: the log may not have it yet. */
  readonly resolved: Set<string>;
  /** Turns that were said to be queued because their event was missing: whoever stored them need not say it any more. */
  readonly queued: Set<string>;
  /** A message became `sent`, or may have, and the runner was not given it yet. */
  handing: boolean;
  /** Deliveries that a person had sent again, and the turn of each. */
  readonly deliveries: Map<string, string>;
}

export interface RunOptions {
  /** The journal whose items the job brings. */
  sourceId?: string;
  /** Its runner has just said hello here: whoever wrote the session until now is fenced. */
  greeting?: boolean;
  /** Only while it stands is the session taken over. */
  claim?: LinkClaim;
  isNew?: boolean;
  /** The job of a session in doubt itself: its failure raises no further doubt. */
  mending?: boolean;
  /** Whoever wrote its rows before may have died before their events: what is missing is looked for first. */
  lookAgain?: boolean;
}

export interface TakeOver {
  readonly owned: Owned;
  /** The journal that was counted before is gone, and with it what became of the turn under way. */
  readonly journalLost: boolean;
  /** Some of it is gone, between what the log has and what is left. */
  readonly gap?: boolean;
  readonly isNew: boolean;
}

/**
 * Which sessions this process writes, and in which order: everything that is done to one session runs one after another in its own chain, so that
 * decisions see each other's rows. A job only queues its events; it does not wait for their commit.
 */
export class Owner {
  readonly #pool: pg.Pool;
  readonly #writer: LogWriter;
  readonly #now: () => number;
  readonly #seats: Seats;
  readonly #connected: (sessionId: string) => boolean;
  readonly #signal: AbortSignal;
  readonly #takenOver: (taken: TakeOver) => Promise<void>;
  readonly #doubted: (sessionId: string) => void;
  /** Something failed here between a row and its event, perhaps: what is missing is looked for before the next job. */
  readonly #inDoubt = new Set<string>();
  readonly #owned = new Map<string, Owned>();
  readonly #chains = new Map<string, Promise<void>>();

  constructor(options: {
    pool: pg.Pool;
    writer: LogWriter;
    now: () => number;
    seats: Seats;
    /** The session's runner has its link here. */
    connected: (sessionId: string) => boolean;
    signal: AbortSignal;
    takenOver: (taken: TakeOver) => Promise<void>;
    /** A session is in doubt: somebody must run a job, also when nobody else comes. */
    doubted: (sessionId: string) => void;
  }) {
    this.#pool = options.pool;
    this.#writer = options.writer;
    this.#now = options.now;
    this.#seats = options.seats;
    this.#connected = options.connected;
    this.#signal = options.signal;
    this.#takenOver = options.takenOver;
    this.#doubted = options.doubted;
  }

  /** Throws Problem `not-found` when there is no such session, Elsewhere when another process writes it. */
  run<T>(
    sessionId: string,
    job: (owned: Owned) => Promise<T>,
    options: RunOptions = {},
  ): Promise<T> {
    const before = this.#chains.get(sessionId) ?? Promise.resolve();
    const work = async () => job(await this.#own(sessionId, options));
    const result = before.then(options.mending === true ? work : () => this.guard(sessionId, work));
    const settled: Promise<void> = result.then(
      () => this.#settled(sessionId, settled),
      () => this.#settled(sessionId, settled),
    );
    this.#chains.set(sessionId, settled);
    return result;
  }
  /**
   * For rows that are written outside of the chain and whose events follow in it. When the database goes away in between, this process lives on and
   * nobody takes the session over: what is missing is looked for here.
   */
  async guard<T>(sessionId: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isTransient(error) && !this.#inDoubt.has(sessionId)) {
        this.#inDoubt.add(sessionId);
        this.#doubted(sessionId);
      }
      throw error;
    }
  }
  #settled(sessionId: string, chain: Promise<void>): void {
    if (this.#chains.get(sessionId) === chain) this.#chains.delete(sessionId);
  }

  /** Appends and waits for the commit, outside the chain. What was fenced was not stored, so it is taken over and tried again. */
  async append(
    sessionId: string,
    entries: (owned: Owned) => Promise<readonly Entry[]> | readonly Entry[],
    options: { isNew?: boolean } = {},
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const lost = await this.run(
        sessionId,
        async (owned) => ({ committed: queue(owned.log, await entries(owned)) }),
        options,
      ).then(({ committed }) => inTime(committed), asLost);
      if (lost === null) return;
      if (lost.reason !== 'fenced') throw lost;
      if (attempt === 3) {
        const detail = 'The session is changing hands. Nothing is lost; try again.';
        throw new Problem('not-ready', detail, { cause: lost });
      }
    }
  }

  get(sessionId: string): Owned | undefined {
    return this.#owned.get(sessionId);
  }
  all(): Owned[] {
    return [...this.#owned.values()];
  }
  forget(sessionId: string): void {
    this.#owned.delete(sessionId);
    this.#writer.forget(sessionId);
  }
  /** Resolves when no job is under way. */
  async idle(): Promise<void> {
    while (this.#chains.size > 0) await Promise.all(this.#chains.values());
  }

  /** What is missing in the log is looked for before the next job. */
  doubt(sessionId: string): void {
    this.#inDoubt.add(sessionId);
  }

  /** Within a job whose rows were not written: throws when the fence refused them. The next job takes the session over, if it is ours to. */
  async mustOwn({ sessionId, log }: Owned): Promise<void> {
    if ((await readEpoch(this.#pool, sessionId)) === log.epoch) return;
    this.forget(sessionId);
    throw new Elsewhere(sessionId);
  }

  /** Within a job: the runner has not got the journal that was counted. `claim`: who says so has its link. */
  async loseSource({ sessionId, log }: Owned, claim?: LinkClaim): Promise<void> {
    await this.#takeOver(sessionId, { sourceLost: true, epoch: log.epoch, ...asked(claim) });
  }

  /** Within a job: the runner has not got what comes next any more, but what comes after `n`. `then`: what follows from it, in the transaction that counts on from there. */
  async skipTo(
    { sessionId, log }: Owned,
    gap: { n: number; then: (sql: Sql) => Promise<void> },
    claim?: LinkClaim,
  ): Promise<void> {
    await this.#takeOver(sessionId, { gap, epoch: log.epoch, ...asked(claim) });
  }

  async #own(sessionId: string, options: RunOptions): Promise<Owned> {
    if (options.greeting === true) await this.#checkEpoch(sessionId);
    else await this.#checkSeat(sessionId);
    const before = this.#owned.get(sessionId);
    const { sourceId } = options;
    const ours =
      before?.log.lost === null && (sourceId === undefined || before.sourceId === sourceId);
    if (!ours) return this.#takeOver(sessionId, options);
    if (options.lookAgain === true) this.#inDoubt.add(sessionId);
    if (!this.#inDoubt.has(sessionId)) return before;
    // What is queued must be in the log before anybody looks what is missing there.
    if ((await queue(before.log, [])) !== null) return this.#takeOver(sessionId, options);
    await this.#mend({ owned: before, journalLost: false, isNew: false });
    return before;
  }
  /**
   * Only a runner's hello takes a session away from the process that has its link. While the link is here and nobody can have taken us for dead, nothing needs
   * to be asked. After a time away, the epoch says whether we still are who we were.
   */
  async #checkSeat(sessionId: string): Promise<void> {
    const before = this.#owned.get(sessionId);
    const { sure } = this.#seats;
    if (before?.log.lost === null && sure && this.#connected(sessionId)) return;
    if (await throughOutages(() => this.#seats.elsewhere(sessionId), this.#signal)) {
      this.forget(sessionId);
      throw new Elsewhere(sessionId);
    }
    if (!sure) await this.#checkEpoch(sessionId);
  }
  /** What is known of a session that somebody else wrote meanwhile is of the past: the link may have been there and come back without a job here. */
  async #checkEpoch(sessionId: string): Promise<void> {
    const before = this.#owned.get(sessionId);
    if (before?.log.lost !== null) return;
    const epoch = await throughOutages(() => readEpoch(this.#pool, sessionId), this.#signal);
    if (epoch !== before.log.epoch) this.forget(sessionId);
  }
  async #mend(taken: TakeOver): Promise<void> {
    const { sessionId } = taken.owned;
    this.#inDoubt.delete(sessionId); // before looking: what fails meanwhile is in doubt anew
    try {
      await this.#takenOver(taken);
    } catch (error) {
      this.#inDoubt.add(sessionId);
      throw error;
    }
  }

  async #takeOver(
    sessionId: string,
    options: RunOptions & {
      sourceLost?: boolean;
      /** Nobody has written the session since then, or it is not taken over. */
      epoch?: number;
      gap?: { n: number; then: (sql: Sql) => Promise<void> };
    },
  ): Promise<Owned> {
    const before = this.#owned.get(sessionId);
    // Raising the epoch would fence what we have queued ourselves.
    if (before?.log.lost === null) await queue(before.log, []);
    const { gap, sourceLost: lost = false } = options;
    // In one step with the new count: a crash in between would leave a turn under way that the next journal gets once more.
    const head = await throughOutages(
      () =>
        inTransaction(this.#pool, async (sql) => {
          const raised = await raiseEpoch(sql, sessionId, options.sourceId ?? null, lost, options);
          if (raised === null) return null;
          const { sourceId: now, previousSourceId: then } = raised;
          const journalLost = then !== null && then !== now;
          if (journalLost) await loseJournal(sql, sessionId, new Date(this.#now()));
          if (gap === undefined) return { ...raised, journalLost };
          // Not again when only the reply to the commit was lost.
          if (await skipSource(sql, sessionId, gap.n)) await gap.then(sql);
          return { ...raised, journalLost, lastSourceSeq: Math.max(gap.n, raised.lastSourceSeq) };
        }),
      this.#signal,
    );
    const state =
      head === null
        ? null
        : await throughOutages(() => readState(this.#pool, sessionId), this.#signal);
    if (head === null || state === null) {
      this.forget(sessionId);
      const there = await throughOutages(() => readEpoch(this.#pool, sessionId), this.#signal);
      if (head === null && there !== null) throw new Elsewhere(sessionId);
      throw new Problem('not-found', 'No such session.');
    }
    const log = this.#writer.own({
      sessionId,
      epoch: head.epoch,
      lastSeq: head.lastSeq,
      open: head.open,
    });
    const now = this.#now();
    const owned: Owned = before ?? {
      sessionId,
      teamId: state.team_id,
      log,
      sourceId: null,
      received: 0,
      committed: 0,
      status: state.status,
      heardAt: now,
      missedAt: null,
      resolved: new Set(),
      queued: new Set(),
      handing: false,
      deliveries: new Map(),
    };
    owned.log = log;
    owned.sourceId = head.sourceId;
    owned.received = head.lastSourceSeq;
    owned.committed = head.lastSourceSeq;
    this.#owned.set(sessionId, owned);
    try {
      await this.#mend({
        owned,
        journalLost: head.journalLost,
        gap: gap !== undefined,
        isNew: options.isNew ?? false,
      });
    } catch (error) {
      // Half taken over is not taken over: the next job begins again.
      this.forget(sessionId);
      throw error;
    }
    return owned;
  }
}

/**
 * Whoever waits is told when it takes too long: the rows stand, the event follows as soon as the database takes it, and the same request again finds both.
 */
async function inTime<T>(committed: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const detail =
      'The database takes nothing in: it does not answer, or its disk is full. Nothing is lost; try again.';
    timer = setTimeout(() => reject(new Problem('not-ready', detail)), sessionLimits.commitMs);
  });
  try {
    return await Promise.race([committed, late]);
  } finally {
    clearTimeout(timer);
  }
}

const asked = (claim?: LinkClaim): { claim?: LinkClaim } => (claim === undefined ? {} : { claim });

/** Also while it is taken over it may be lost to another process. */
function asLost(error: unknown): SessionLost {
  if (error instanceof SessionLost) return error;
  throw error;
}

/** Resolves after the commit. */
export function queue(log: SessionLog, entries: readonly Entry[]): Promise<SessionLost | null> {
  return new Promise((resolve) => {
    log.append({ entries, done: resolve });
  });
}
