import type { SourceItem } from '@berth/contract/link';
import { entryOf } from './entries.ts';
import type { Entry } from './log/entry.ts';
import { isDeltaKind } from './log/fold.ts';

/** What one item of the runner's journal becomes. The rows are written already, and may be written again: the item comes again until it is acknowledged. */
export interface Effect {
  readonly entries: readonly Entry[];
  /** Something that the session's status or queue depends on has changed. */
  readonly advance?: 'session' | 'approvals';
  /** After the commit. A crash before it is made good when the session is taken over. */
  readonly committed?: () => Promise<void>;
}
export const nothing: Effect = { entries: [] };

/** Deltas are the many; they need no row, no schema and no waiting. Null: not a delta. */
export function deltaOf(item: SourceItem, at: number): Entry | null {
  if (!isDeltaKind(item.kind)) return null;
  const { messageId, text } = item.payload;
  if (typeof messageId !== 'string' || typeof text !== 'string')
    return refusal(item, 'a delta without messageId and text', at);
  return { ...base(item, at), kind: item.kind, payload: '', delta: { messageId, text } };
}

export function base(item: SourceItem, at: number): Pick<Entry, 'at' | 'turnId' | 'raw'> {
  return {
    at,
    ...(item.turnId === undefined ? {} : { turnId: item.turnId }),
    ...(item.raw === undefined ? {} : { raw: item.raw }),
  };
}
export function refusal(item: SourceItem, detail: string, at: number): Entry {
  return {
    ...entryOf('error', { code: 'event-refused', detail: `${item.kind}: ${detail}` }, at),
    ...base(item, at),
  };
}
