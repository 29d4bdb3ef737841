import type { Entry } from './entry.ts';
import { limits } from './limits.ts';

/**
 * Streamed texts. Pure. A text is open from its first delta until it is closed; closing makes the one `message` or `thought` event that carries the
 * whole text and supersedes the deltas. Replay leaves out every delta below `openFrom`, so `openFrom` may never pass a delta of an open text.
 */
export interface OpenText {
  readonly kind: 'message' | 'thought';
  readonly from: number;
  readonly to: number;
  readonly turnId?: string;
  readonly text: string;
}
export type OpenTexts = ReadonlyMap<string, OpenText>;

const texts = { 'message.delta': 'message', 'thought.delta': 'thought' } as const;
export type DeltaKind = keyof typeof texts;
export const isDeltaKind = (kind: string): kind is DeltaKind => Object.hasOwn(texts, kind);

/** The same id may name a message and a thought: an agent counts them apart. */
export const textKey = (kind: 'message' | 'thought', messageId: string): string =>
  `${kind} ${messageId}`;
export const keyOfDelta = (kind: DeltaKind, messageId: string): string =>
  textKey(texts[kind], messageId);

/** A delta got number `seq`; merged ones get the number of the first. */
export function withDelta(open: OpenTexts, entry: Entry, seq: number): OpenTexts {
  if (entry.delta === undefined || !isDeltaKind(entry.kind)) return open;
  const key = keyOfDelta(entry.kind, entry.delta.messageId);
  const before = open.get(key);
  const next: OpenText =
    before === undefined
      ? {
          kind: texts[entry.kind],
          from: seq,
          to: seq,
          text: entry.delta.text,
          ...(entry.turnId === undefined ? {} : { turnId: entry.turnId }),
        }
      : { ...before, to: seq, text: before.text + entry.delta.text };
  return new Map(open).set(key, next);
}

export function without(open: OpenTexts, key: string): OpenTexts {
  if (!open.has(key)) return open;
  const next = new Map(open);
  next.delete(key);
  return next;
}

/** First delta of the oldest text that is still open. */
export function openFrom(open: OpenTexts): number | null {
  let first: number | null = null;
  for (const { from } of open.values()) if (first === null || from < first) first = from;
  return first;
}

/** The event that closes a text. */
export function closing(key: string, text: OpenText, at: number): Entry {
  return {
    kind: text.kind,
    at,
    payload: JSON.stringify({
      messageId: key.slice(text.kind.length + 1),
      content: [{ type: 'text', text: text.text }],
      supersedes: { from: text.from, to: text.to },
    }),
    ...(text.turnId === undefined ? {} : { turnId: text.turnId }),
  };
}

/** Two deltas that wait side by side as one; null when they do not belong together. */
export function merged(first: Entry, second: Entry): Entry | null {
  if (first.delta === undefined || second.delta === undefined) return null;
  if (
    first.kind !== second.kind ||
    first.turnId !== second.turnId ||
    first.delta.messageId !== second.delta.messageId ||
    first.delta.text.length + second.delta.text.length > limits.mergedTextLength
  )
    return null;
  const raw = [first.raw, second.raw].filter((line) => line !== undefined).join('\n');
  return {
    ...first,
    ...(raw === '' ? {} : { raw }),
    delta: { messageId: first.delta.messageId, text: first.delta.text + second.delta.text },
  };
}

/** A row of the table, as far as streamed texts need it. */
export interface TextRow {
  readonly seq: number;
  readonly kind: string;
  readonly turnId: string | null;
  readonly messageId: string;
  readonly text: string;
}
/** What was open when the rows from `openFrom` on were written: for whoever takes the session over. */
export function openTextsOf(rows: readonly TextRow[]): OpenTexts {
  let open: OpenTexts = new Map();
  for (const row of rows) {
    if (isDeltaKind(row.kind)) {
      const { kind, turnId, messageId, text } = row;
      const entry: Entry = { kind, payload: '', at: 0, delta: { messageId, text } };
      open = withDelta(open, turnId === null ? entry : { ...entry, turnId }, row.seq);
    } else if (row.kind === 'message' || row.kind === 'thought') {
      open = without(open, textKey(row.kind, row.messageId));
    }
  }
  return open;
}
