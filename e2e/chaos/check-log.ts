import type { Event } from '@berth/contract';
import type { Seen } from './reader.ts';

/** One event as the server gives it now, with the bytes of it. */
export interface LoggedEvent {
  readonly event: Event;
  readonly text: string;
}
type Fault = (what: string, ...names: string[]) => void;

/** The log and what a viewer saw of it while it grew. */
export function checkLog(
  { log, live }: { log: readonly LoggedEvent[]; live: readonly Seen[] },
  fault: Fault,
): void {
  const ranges = log.flatMap(({ event }) => {
    const whole = event.kind === 'message' || event.kind === 'thought' ? event : null;
    const range = whole?.payload.supersedes;
    return whole === null || range === undefined
      ? []
      : [{ ...range, messageId: whole.payload.messageId }];
  });
  const superseded = (seq: number): boolean =>
    ranges.some(({ from, to }) => seq >= from && seq <= to);

  let last = 0;
  for (const { event } of log) {
    if (event.seq <= last) fault(`${String(event.seq)} follows ${String(last)} in the log`);
    for (let seq = last + 1; seq < event.seq; seq++)
      if (!superseded(seq)) fault(`the log has no ${String(seq)}`, String(seq - 1), String(seq));
    last = Math.max(last, event.seq);
  }

  const bySeq = new Map(log.map((one) => [one.event.seq, one]));
  const seenSeqs = new Set<number>();
  const end = log.at(-1)?.event.seq ?? 0;
  for (const { event, text } of live) {
    if (event.seq > end) break; // after we looked
    seenSeqs.add(event.seq);
    const logged = bySeq.get(event.seq);
    const name = `${String(event.seq)} ${event.kind}`;
    if (logged !== undefined && logged.text !== text)
      fault(`${name} is ${logged.text} in the log and was seen as ${text}`, name);
    if (logged !== undefined) continue;
    const isDelta = event.kind === 'message.delta' || event.kind === 'thought.delta';
    if (!isDelta || !superseded(event.seq)) fault(`${name} was seen and is not in the log`, name);
  }
  for (const { event } of log)
    if (!seenSeqs.has(event.seq) && event.seq <= (live.at(-1)?.event.seq ?? 0))
      fault(`${String(event.seq)} ${event.kind} never reached the viewer`, String(event.seq));
  if ((live.at(-1)?.event.seq ?? 0) < end)
    fault(`the viewer stands at ${String(live.at(-1)?.event.seq ?? 0)}, the log at ${String(end)}`);
  checkTexts(log, live, fault);
}

/** What was seen of a text while it streamed stands in the whole, in order and once. */
function checkTexts(log: readonly LoggedEvent[], live: readonly Seen[], fault: Fault): void {
  const pieces = new Map<string, string[]>();
  const end = log.at(-1)?.event.seq ?? 0;
  for (const { event } of live)
    if (event.seq > end) break;
    else if (event.kind === 'message.delta' || event.kind === 'thought.delta') {
      const { messageId, text } = event.payload;
      pieces.set(messageId, [...(pieces.get(messageId) ?? []), text]);
    }
  const whole = new Map<string, string>();
  for (const { event } of log) {
    if (event.kind !== 'message' && event.kind !== 'thought') continue;
    const { messageId, content } = event.payload;
    if (whole.has(messageId)) fault(`message ${messageId} is in the log twice`, messageId);
    whole.set(
      messageId,
      content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    );
  }
  for (const [messageId, texts] of pieces) {
    const all = whole.get(messageId);
    if (all === undefined) {
      fault(`message ${messageId} was streamed and never became whole`, messageId);
      continue;
    }
    let at = 0;
    for (const text of texts) {
      const found = all.indexOf(text, at);
      if (found < 0) {
        fault(`${JSON.stringify(text)} was seen and is not in ${JSON.stringify(all)}`, messageId);
        break;
      }
      at = found + text.length;
    }
  }
}
