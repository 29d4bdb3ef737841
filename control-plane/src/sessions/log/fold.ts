import type { Entry } from './entry.ts';
import { limits } from './limits.ts';

/** A text that streams: from its first delta until it is closed. */
export interface OpenText {
  readonly kind: 'message' | 'thought';
  readonly from: number;
  to: number;
  readonly turnId?: string;
  text: string;
}

const texts = { 'message.delta': 'message', 'thought.delta': 'thought' } as const;
export type DeltaKind = keyof typeof texts;
export const isDeltaKind = (kind: string): kind is DeltaKind => Object.hasOwn(texts, kind);

/** The same id may name a message and a thought: an agent counts them apart. */
export const textKey = (kind: 'message' | 'thought', messageId: string): string =>
  `${kind} ${messageId}`;
export const keyOfDelta = (kind: DeltaKind, messageId: string): string =>
  textKey(texts[kind], messageId);

/**
 * The streamed texts of one session. Closing one makes the `message` or `thought` event that carries the whole text and supersedes its deltas. Replay leaves
 * out every delta below `from`, so `from` may never pass a delta of an open text. No I/O and no time: the same calls give the same state.
 */
export class OpenTexts {
  // In the order of their first deltas, so that the first entry is the oldest.
  readonly #texts = new Map<string, OpenText>();

  /** A delta got number `seq`; a merged one has the number of the row that it joined. */
  add(entry: Entry, seq: number): void {
    if (entry.delta === undefined || !isDeltaKind(entry.kind)) return;
    const { messageId, text } = entry.delta;
    const key = keyOfDelta(entry.kind, messageId);
    const known = this.#texts.get(key);
    if (known !== undefined) {
      known.to = seq;
      known.text += text;
      return;
    }
    const { turnId } = entry;
    const opened: OpenText = { kind: texts[entry.kind], from: seq, to: seq, text };
    this.#texts.set(key, turnId === undefined ? opened : { ...opened, turnId });
  }
  has(key: string): boolean {
    return this.#texts.has(key);
  }
  take(key: string): OpenText | undefined {
    const text = this.#texts.get(key);
    this.#texts.delete(key);
    return text;
  }
  /** Oldest first. */
  keys(): string[] {
    return [...this.#texts.keys()];
  }
  all(): OpenText[] {
    return [...this.#texts.values()];
  }
  /** First delta of the oldest text that is still open. */
  get from(): number | null {
    for (const { from } of this.#texts.values()) return from;
    return null;
  }
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
  const open = new OpenTexts();
  for (const row of rows) {
    if (isDeltaKind(row.kind)) {
      const { kind, turnId, messageId, text } = row;
      const entry: Entry = { kind, payload: '', at: 0, delta: { messageId, text } };
      open.add(turnId === null ? entry : { ...entry, turnId }, row.seq);
    } else if (row.kind === 'message' || row.kind === 'thought') {
      open.take(textKey(row.kind, row.messageId));
    }
  }
  return open;
}
