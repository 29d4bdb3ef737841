import { deltaKinds, parseEvent, type Event, type Turn } from '@berth/contract';
import { fold } from './fold.ts';
import { foldQueue, seedQueue } from './queue.ts';
import { emptyView, type View } from './view.ts';

/** A window on the log as it crosses the wire: every event with `after < seq <= to`. */
export interface Span {
  readonly after: number;
  readonly to: number;
  readonly events: readonly unknown[];
}
/**
 * The replica of one session's log: everything with `after < seq <= to`, and the view folded from it. It converges: spans may
 * come in any cut, repeated or overlapping, with deltas or without, and the state is the same.
 */
export interface Transcript {
  readonly after: number;
  readonly to: number;
  readonly hasOlder: boolean;
  readonly context: readonly Event[];
  readonly events: readonly Event[];
  readonly view: View;
  /** The turns that wait, in order. Not part of the view: it begins with what the server listed, not with the window. */
  readonly queue: readonly string[];
}

const parse = (values: readonly unknown[], after: number, to: number): Event[] => {
  const events: Event[] = [];
  for (const value of values) {
    const event = parseEvent(value);
    const last = events.at(-1)?.seq ?? after;
    if (event && event.seq > last && event.seq <= to) events.push(event);
  }
  return events;
};

const lasting = new Set(['plan', 'mode', 'commands']);

export function openTranscript(
  span: Span,
  hasOlder: boolean,
  context: readonly unknown[] = [],
  turns: readonly Turn[] = [],
): Transcript {
  const before = parse(context, 0, span.after).filter((event) => lasting.has(event.kind));
  const events = fewer(parse(span.events, span.after, span.to));
  const view = fold(fold(emptyView, before), events);
  return {
    after: span.after,
    to: span.to,
    hasOlder,
    context: before,
    events,
    view,
    queue: seedQueue(foldQueue([], events), turns, view),
  };
}

/** Adds what is newer. `gap`: something between is missing; ask for everything after `to`. */
export function append(
  transcript: Transcript,
  span: Span,
): { kind: 'merged'; transcript: Transcript } | { kind: 'gap' } {
  if (span.after > transcript.to) return { kind: 'gap' };
  if (span.to <= transcript.to) return { kind: 'merged', transcript };
  const added = parse(span.events, transcript.to, span.to);
  return {
    kind: 'merged',
    transcript: {
      ...transcript,
      to: span.to,
      events: fewer(transcript.events.concat(added), added),
      view: fold(transcript.view, added),
      queue: foldQueue(transcript.queue, added),
    },
  };
}

/** Adds an older page. What it starts may be continued by what is here already, so the view is folded anew. */
export function prepend(transcript: Transcript, span: Span, hasOlder: boolean): Transcript {
  if (span.to < transcript.after || span.after >= transcript.after) return transcript;
  const older = parse(span.events, span.after, transcript.after);
  const events = fewer(older.concat(transcript.events));
  const context = transcript.context.filter((event) => event.seq <= span.after);
  return {
    after: span.after,
    to: transcript.to,
    hasOlder,
    context,
    events,
    view: fold(fold(emptyView, context), events),
    queue: transcript.queue,
  };
}

const isDelta = (event: Event): event is Extract<Event, { kind: (typeof deltaKinds)[number] }> =>
  (deltaKinds as readonly string[]).includes(event.kind);

/** Drops the deltas that a whole message replaced, as a replay would. */
function fewer(events: Event[], since: readonly Event[] = events): Event[] {
  const gone = new Map<string, { from: number; to: number }>();
  let lowest = Infinity;
  for (const event of since) {
    if (event.kind !== 'message' && event.kind !== 'thought') continue;
    const range = event.payload.supersedes;
    if (!range) continue;
    gone.set(`${event.kind}:${event.payload.messageId}`, range);
    lowest = Math.min(lowest, range.from);
  }
  if (gone.size === 0) return events;
  let start = events.length;
  while (start > 0 && (events[start - 1]?.seq ?? 0) >= lowest) start -= 1;
  const kept = events.slice(start).filter((event) => {
    if (!isDelta(event)) return true;
    const whole = event.kind === 'message.delta' ? 'message' : 'thought';
    const range = gone.get(`${whole}:${event.payload.messageId}`);
    return !range || event.seq < range.from || event.seq > range.to;
  });
  return events.slice(0, start).concat(kept);
}
