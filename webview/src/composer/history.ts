import type { Entry } from '../store/entries.ts';
import { typedText } from '../store/format.ts';

/** The messages that this person wrote in the conversation, newest first, each once. Pure. */
export function historyOf(entries: readonly Entry[], me: string | null): readonly string[] {
  const texts: string[] = [];
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (entry?.kind !== 'user' || (entry.by && entry.by.id !== me)) continue;
    const text = typedText(entry.content);
    if (text !== '' && !texts.includes(text)) texts.push(text);
  }
  return texts;
}

/** Where a person is in their history; -1: at what they are writing. */
export interface Recall {
  readonly at: number;
}
export const atDraft: Recall = { at: -1 };

/**
 * One step back or forth. Null: the key is not ours, and moves the cursor. A recalled text may be walked on from as long as it stands there untouched;
 * whoever changed it is writing again.
 */
export function recall(
  history: readonly string[],
  { at }: Recall,
  shown: string,
  key: 'ArrowUp' | 'ArrowDown',
): { recall: Recall; text: string } | null {
  const untouched = at < 0 ? shown === '' : history[at] === shown;
  if (!untouched) return null;
  const next = key === 'ArrowUp' ? at + 1 : at - 1;
  if (next < -1 || next >= history.length) return null;
  return { recall: { at: next }, text: next < 0 ? '' : (history[next] ?? '') };
}
