import type { Event } from '@berth/contract';
import type { Note } from '../../../webview/src/ipc/index.ts';
import { paced, type Timers } from './clock.ts';
import type { Link } from './hub.ts';

type Span = Omit<Note<'events'>, 'sessionId'>;
const giveEveryMs = 33;

/** Events as they cross to a page: plain data. */
export const plainEvents = (events: readonly Event[]): Span['events'] =>
  events.map((event) => ({ ...event, payload: { ...event.payload } }));

/** Reads a session's log live and hands it on in spans without a gap, the first at once, then at most every 33 ms. */
export function readLog(options: {
  link: Link;
  sessionId: string;
  from: number;
  timers: Timers;
  give: (span: Span) => void;
}): () => void {
  let cursor = options.from;
  let waiting: Event[] = [];
  const giving = paced(options.timers, giveEveryMs, () => {
    const events = waiting;
    const to = events.at(-1)?.seq;
    if (to === undefined) return;
    waiting = [];
    options.give({ after: cursor, to, events: plainEvents(events) });
    cursor = to;
  });
  const stop = options.link.channels.session(
    options.sessionId,
    { after: options.from },
    {
      events: (events) => {
        waiting.push(...events);
        giving.wanted();
      },
    },
  );
  return () => {
    giving.stop();
    stop();
  };
}
