import type { ChannelRequest, Event, Problem } from '@berth/contract';
import type { Timers } from './clock.ts';
import { systemTimers } from './clock.ts';
import type { UnknownProblem } from './errors.ts';
import type { From, Reading } from './reading.ts';
import { askFor, take } from './reading.ts';
import type { SessionHandlers, Stop } from './subscriptions.ts';

interface Reader {
  from: From;
  cursor: number | null;
  handlers: SessionHandlers;
}
interface Feed {
  channel: string;
  readers: Set<Reader>;
  reading: Reading;
  /** The subscription that is in force, or asked for, and from where it reads. */
  requestId: number;
  asked: From;
  callOff: () => void;
}
const retryMs = 1000;

/** All logs that are read over the socket: one subscription each, however many read it here. */
export function createFeeds(ports: {
  newId: () => number;
  send: (request: ChannelRequest) => boolean;
  tell: (action: () => void) => void;
  timers?: Timers | undefined;
}) {
  const timers = ports.timers ?? systemTimers;
  const feeds = new Map<string, Feed>();

  function each(feed: Feed, action: (reader: Reader) => void): void {
    for (const reader of [...feed.readers]) {
      if (feed.readers.has(reader)) ports.tell(() => action(reader));
    }
  }

  function ask(feed: Feed, again: boolean): void {
    feed.callOff();
    const from = askFor([...feed.readers]);
    feed.asked = from;
    feed.reading = { phase: 'asking', cursor: from.after ?? null };
    if (again) ports.send({ op: 'unsubscribe', id: ports.newId(), channel: feed.channel });
    feed.requestId = ports.newId();
    ports.send({
      op: 'subscribe',
      id: feed.requestId,
      channel: feed.channel,
      ...(from.after === undefined ? {} : { after: from.after }),
      ...(from.tail === undefined ? {} : { tail: from.tail }),
    });
  }

  return {
    opened(): void {
      for (const feed of feeds.values()) ask(feed, false);
    },
    lost(): void {
      for (const feed of feeds.values()) {
        feed.callOff();
        feed.reading = { phase: 'asking', cursor: feed.reading.cursor };
      }
    },
    subscribed(
      channel: string,
      id: string | number,
      range: { firstSeq?: number | undefined; lastSeq?: number | undefined },
    ): void {
      const feed = feeds.get(channel);
      if (feed?.requestId !== id || feed.reading.phase !== 'asking') return;
      const liveOnly = feed.asked.after === undefined && feed.asked.tail === undefined;
      const cursor = liveOnly ? (range.lastSeq ?? null) : feed.reading.cursor;
      feed.reading = { phase: liveOnly ? 'live' : 'replaying', cursor };
      each(feed, (reader) => {
        // Who wanted only what comes from now on: now is here.
        if (reader.cursor === null && reader.from.tail === undefined)
          reader.cursor = reader.from.after ?? range.lastSeq ?? null;
        reader.handlers.opened?.({ firstSeq: range.firstSeq, lastSeq: range.lastSeq });
        if (liveOnly) reader.handlers.live?.(range.lastSeq ?? 0);
      });
    },
    events(channel: string, raw: readonly unknown[]): void {
      const feed = feeds.get(channel);
      if (feed === undefined) return;
      const taken = take(feed.reading, raw);
      feed.reading = taken.reading;
      const last = taken.events.at(-1)?.seq;
      if (last !== undefined) {
        each(feed, (reader) => {
          const { cursor } = reader;
          const fresh: Event[] = [];
          for (const { seq, event } of taken.events) {
            if ((cursor === null || seq > cursor) && event !== null) fresh.push(event);
          }
          if (cursor === null || last > cursor) reader.cursor = last;
          if (fresh.length > 0) reader.handlers.events(fresh);
        });
      }
      if (taken.gap && feed.readers.size > 0) ask(feed, true);
    },
    live(channel: string, seq: number): void {
      const feed = feeds.get(channel);
      if (feed?.reading.phase !== 'replaying') return;
      feed.reading = { phase: 'live', cursor: Math.max(seq, feed.reading.cursor ?? 0) };
      each(feed, (reader) => {
        reader.cursor = Math.max(seq, reader.cursor ?? 0);
        reader.handlers.live?.(seq);
      });
    },
    resync(channel: string): void {
      const feed = feeds.get(channel);
      if (feed === undefined || feed.reading.phase === 'asking') return;
      ask(feed, false);
      each(feed, (reader) => reader.handlers.resync?.());
    },
    /** False: not about a log that is read here. */
    problem(
      channel: string | undefined,
      id: string | number | undefined,
      problem: Problem | UnknownProblem,
    ): boolean {
      const feed = [...feeds.values()].find(
        (candidate) =>
          candidate.requestId === id && (channel ?? candidate.channel) === candidate.channel,
      );
      if (feed === undefined) return false;
      if (problem.status >= 500 || problem.status === 429) {
        feed.callOff();
        feed.callOff = timers.after(retryMs, () => ask(feed, true));
      } else {
        feed.reading = { phase: 'refused', cursor: feed.reading.cursor };
        each(feed, (reader) => reader.handlers.problem?.(problem));
      }
      return true;
    },
    read(id: string, from: From, handlers: SessionHandlers): Stop {
      const channel = `session/${id}`;
      const reader: Reader = { from, cursor: null, handlers };
      const found = feeds.get(channel);
      const feed: Feed = found ?? {
        channel,
        readers: new Set(),
        reading: { phase: 'asking', cursor: null },
        requestId: 0,
        asked: from,
        callOff: () => undefined,
      };
      feeds.set(channel, feed);
      feed.readers.add(reader);
      ask(feed, found !== undefined);
      return () => {
        if (!feed.readers.delete(reader) || feed.readers.size > 0) return;
        feed.callOff();
        feeds.delete(channel);
        ports.send({ op: 'unsubscribe', id: ports.newId(), channel });
      };
    },
  };
}
