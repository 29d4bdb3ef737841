import type { Event } from '@berth/contract';
import { parseEvent } from '@berth/contract';
import { seqOf } from './events.ts';

/**
 * How far one session's log has been read over a socket.
 *   asking     a subscription was sent, its answer has not come: what still arrives belongs to an older one
 *   replaying  numbers grow, and may leave out what a later event superseded
 *   live       numbers have no gap; one that has means that something was lost
 *   refused    the server does not let us read it
 */
export interface Reading {
  readonly phase: 'asking' | 'replaying' | 'live' | 'refused';
  /** The last number that was seen; null: nothing yet. */
  readonly cursor: number | null;
}
export interface Taken {
  readonly reading: Reading;
  readonly events: readonly { seq: number; event: Event | null }[];
  /** Something is missing: ask again after the cursor. */
  readonly gap: boolean;
}

/** Pure. Drops what was seen before, stops in front of a gap. */
export function take(reading: Reading, raw: readonly unknown[]): Taken {
  if (reading.phase === 'asking' || reading.phase === 'refused')
    return { reading, events: [], gap: false };
  let cursor = reading.cursor;
  const events: { seq: number; event: Event | null }[] = [];
  for (const value of raw) {
    const seq = seqOf(value);
    if (seq === null || (cursor !== null && seq <= cursor)) continue;
    if (reading.phase === 'live' && cursor !== null && seq !== cursor + 1)
      return { reading: { ...reading, cursor }, events, gap: true };
    cursor = seq;
    events.push({ seq, event: parseEvent(value) });
  }
  return { reading: { ...reading, cursor }, events, gap: false };
}

/** From where one reader wants the log; `after` and `tail` exclude each other, neither = only what happens from now on. */
export interface From {
  after?: number | undefined;
  tail?: number | undefined;
}
export interface Place {
  readonly from: From;
  /** The last number that this reader was given. */
  readonly cursor: number | null;
}

/** Pure. One subscription that serves all readers of a session on this socket; each then leaves out what it has. */
export function askFor(places: readonly Place[]): From {
  const known = places.flatMap((place) => place.cursor ?? []);
  const afters = places.flatMap((place) => place.cursor ?? place.from.after ?? []);
  const tails = places.flatMap((place) =>
    place.cursor === null && place.from.after === undefined ? (place.from.tail ?? []) : [],
  );
  const tail = Math.max(0, ...tails);
  if (afters.length === 0) return tails.length === 0 ? {} : { tail };
  // The log's end is not known here, only how far somebody has read: at least the tail's length from there.
  const tailAfter =
    tails.length === 0
      ? Infinity
      : Math.max(0, (known.length === 0 ? 0 : Math.max(...known)) - tail);
  return { after: Math.min(tailAfter, ...afters) };
}
