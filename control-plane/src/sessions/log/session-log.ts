import { eventJson, type Entry, type Stored } from './entry.ts';
import { closing, isDeltaKind, keyOfDelta, merged, textKey, type OpenTexts } from './fold.ts';
import { limits } from './limits.ts';
import type { Batch } from './statement.ts';
import { isKind, isPayload, storableRaw } from './validate.ts';

/** The session is no longer written by this process: fenced, or given up after an error. What was not answered is not stored. */
export class SessionLost extends Error {
  override readonly name = 'SessionLost';
  readonly reason: 'fenced' | 'conflict' | 'failed' | 'closed';
  constructor(sessionId: string, reason: SessionLost['reason'], cause?: unknown) {
    super(`session ${sessionId} lost: ${reason}`, { cause });
    this.reason = reason;
  }
}

type Done = (lost: SessionLost | null) => void;

/** Stored together or not at all. */
export interface Unit {
  readonly entries: readonly Entry[];
  /** Number of the runner's item behind it; the last one of a group is what the head keeps. */
  readonly source?: number;
  readonly done?: Done;
}
export interface Pending {
  entries: Entry[];
  readonly from: number;
  readonly sourceFrom: number | null;
  sourceTo: number | null;
  openFrom: number | null;
  bytes: number;
  readonly done: Done[];
}

/** The error event that takes the place of one that cannot be stored. */
const refused = (entry: Entry, detail: string): Entry => {
  const { turnId, at } = entry;
  const kind = isKind(entry.kind) ? entry.kind : 'of an unreadable kind';
  const payload = JSON.stringify({
    code: 'event-refused',
    detail: `an event (${kind}, ${String(Buffer.byteLength(entry.payload))} bytes) could not be stored: ${detail}`,
  });
  return { kind: 'error', payload, at, ...(turnId === undefined ? {} : { turnId }) };
};

/**
 * The end of one session's log, in the hands of this process for one epoch. Numbers are given out here, when an event is queued: nobody else writes while
 * the epoch stands, and an entry that was queued keeps its place whatever becomes of it. The statement confirms them.
 */
export class SessionLog {
  readonly sessionId: string;
  readonly epoch: number;
  /** Last batch that is known to be committed. */
  batch = 0;
  queued = false;
  #lastSeq: number;
  readonly #open: OpenTexts;
  #pending: Pending[] = [];
  #lost: SessionLost | null = null;
  readonly #wake: (log: SessionLog, bytes: number) => void;

  constructor(options: {
    sessionId: string;
    epoch: number;
    lastSeq: number;
    open: OpenTexts;
    wake: (log: SessionLog, bytes: number) => void;
  }) {
    this.sessionId = options.sessionId;
    this.epoch = options.epoch;
    this.#lastSeq = options.lastSeq;
    this.#open = options.open;
    this.#wake = options.wake;
  }

  get lost(): SessionLost | null {
    return this.#lost;
  }
  get idle(): boolean {
    return this.#pending.length === 0;
  }

  /** Takes the text out of the open ones and gives the event that must be appended next. Null: no such text. */
  close(kind: 'message' | 'thought', messageId: string, at: number): Entry | null {
    return this.#close(textKey(kind, messageId), at);
  }
  #close(key: string, at: number): Entry | null {
    const text = this.#open.take(key);
    return text === undefined ? null : closing(key, text, at);
  }
  /** As `close`, for everything that is open, oldest first. */
  closeAll(at: number): Entry[] {
    return this.#open
      .keys()
      .map((key) => this.#close(key, at))
      .filter((entry) => entry !== null);
  }
  /** Where the text's deltas stand, for a `message` that came whole and replaces them. */
  takeRange(kind: 'message' | 'thought', messageId: string): { from: number; to: number } | null {
    const text = this.#open.take(textKey(kind, messageId));
    return text === undefined ? null : { from: text.from, to: text.to };
  }

  append(unit: Unit): void {
    if (this.#lost !== null) {
      unit.done?.(this.#lost);
      return;
    }
    const entries = unit.entries.map(checked);
    const source = unit.source ?? null;
    const only = entries.length === 1 ? entries[0] : undefined;
    const last = this.#pending.at(-1);
    if (last !== undefined && (entries.length === 0 || this.#merge(last, only))) {
      if (source !== null) {
        last.sourceTo = source;
      }
      if (unit.done !== undefined) last.done.push(unit.done);
      // The raw line too: an agent may send a megabyte around one letter.
      const bytes =
        only === undefined ? 0 : (only.delta?.text.length ?? 0) + (only.raw?.length ?? 0);
      last.bytes += bytes;
      last.openFrom = this.#open.from;
      this.#wake(this, bytes);
      return;
    }
    const from = this.#lastSeq + 1;
    for (const entry of entries) {
      this.#lastSeq += 1;
      this.#open.add(entry, this.#lastSeq);
    }
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.#pending.push({
      entries,
      from,
      sourceFrom: source,
      sourceTo: source,
      openFrom: this.#open.from,
      bytes,
      done: unit.done === undefined ? [] : [unit.done],
    });
    this.#wake(this, bytes);
  }

  #merge(last: Pending, entry: Entry | undefined): boolean {
    const before = last.entries.length === 1 ? last.entries[0] : undefined;
    if (before === undefined || entry?.delta === undefined || !isDeltaKind(entry.kind))
      return false;
    // A text that was closed and opened again under its id starts at a row of its own.
    if (!this.#open.has(keyOfDelta(entry.kind, entry.delta.messageId))) return false;
    const both = merged(before, entry);
    if (both === null) return false;
    last.entries = [both];
    this.#open.add(entry, last.from);
    return true;
  }

  /** Up to `limits.unitsPerSession` units, off the queue. */
  take(bytesMax: number): Pending[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#pending.length && count < limits.unitsPerSession && bytes < bytesMax)
      bytes += this.#pending[count++]?.bytes ?? 0;
    const taken = this.#pending.splice(0, count);
    for (const { entries } of taken)
      for (const entry of entries)
        if (entry.delta !== undefined) entry.payload = JSON.stringify(entry.delta);
    return taken;
  }

  batchOf(taken: readonly Pending[]): Batch {
    return {
      sessionId: this.sessionId,
      epoch: this.epoch,
      batch: this.batch + 1,
      sourceFrom: taken.find((p) => p.sourceFrom !== null)?.sourceFrom ?? null,
      sourceTo: taken.findLast((p) => p.sourceTo !== null)?.sourceTo ?? null,
      openFrom: taken.at(-1)?.openFrom ?? null,
      entries: taken.flatMap((p) => p.entries),
    };
  }

  /** A unit that Postgres refused keeps its places, as errors. */
  refuse(pending: Pending, detail: string): void {
    pending.entries = pending.entries.map((entry) => refused(entry, detail));
  }

  storedOf(taken: readonly Pending[]): Stored[] {
    const stored: Stored[] = [];
    for (const { from, entries } of taken)
      entries.forEach(({ kind, at, turnId, payload }, i) =>
        stored.push({
          seq: from + i,
          kind,
          json: eventJson(this.sessionId, from + i, at, kind, turnId, payload),
        }),
      );
    return stored;
  }

  /** Gives the session up; answers everything that waits, and how many bytes that was. */
  lose(lost: SessionLost): number {
    this.#lost ??= lost;
    return finish(this.#pending.splice(0), lost);
  }
}

/** Answers whoever waits for these units, each once, and gives back how many bytes they held. */
export function finish(pending: readonly Pending[], lost: SessionLost | null): number {
  let bytes = 0;
  for (const unit of pending) {
    bytes += unit.bytes;
    unit.bytes = 0;
    for (const tell of unit.done.splice(0)) tell(lost);
  }
  return bytes;
}

const sizeOf = (entry: Entry): number =>
  (entry.delta?.text.length ?? entry.payload.length) + (entry.raw?.length ?? 0) + 80;

/** What cannot be stored becomes an `error` event and keeps its place. */
function checked(entry: Entry): Entry {
  if (!isKind(entry.kind)) return refused(entry, 'its kind is not a word');
  if (entry.delta === undefined && !isPayload(entry.payload))
    return refused(entry, `it is no object, or deeper than ${String(limits.jsonDepth)} levels`);
  return entry.raw === undefined ? entry : { ...entry, raw: storableRaw(entry.raw) };
}
