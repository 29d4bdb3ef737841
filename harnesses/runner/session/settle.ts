import { createHash } from 'node:crypto';
import type { ContentBlock } from '@berth/contract';
import type { Ledger } from '../journal/ledger.ts';
import { limits } from '../limits.ts';

/** Agents trim and rewrap what they replay; images and resources come back in shapes of their own. Text is what stays. */
const normal = (text: string): string => text.replaceAll('\r\n', '\n').trim();
export const hashText = (text: string): string =>
  createHash('sha256').update(normal(text)).digest('hex');
export const promptText = (prompt: readonly ContentBlock[]): string =>
  prompt.map((block) => (block.type === 'text' ? block.text : '')).join('');
/** The words of a prompt that holds more than words; agents replay such a prompt with words of their own behind them. */
export const wordsBesideMore = (prompt: readonly ContentBlock[]): string | undefined =>
  prompt.some((block) => block.type !== 'text') ? normal(promptText(prompt)) : undefined;
export const hashPrompt = (prompt: readonly ContentBlock[]): string => hashText(promptText(prompt));

/** What looking told of an open turn. `lost`: there is no history to look at, so the next conversation of the agent begins without it. */
export type Verdict = 'present' | 'absent' | 'unknown' | 'lost';
export type Settlement =
  | { kind: 'cancelled' }
  /** The turn's own message goes to the agent again. */
  | { kind: 'again' }
  /** `remind`: the history that the agent goes on from lacks the message. */
  | { kind: 'go-on'; remind: boolean }
  | { kind: 'given-up' }
  | { kind: 'unknown' };

/**
 * Pure. What becomes of a turn that was open when its agent died. A message that is known to have arrived (the agent reacted to it, or was seen to have it and
 * told to go on) is never sent a second time, whatever the history says of what was said after it.
 */
export function settlement(
  turn: { cancelled: boolean; arrived: boolean; goOns: number },
  verdict: Verdict,
): Settlement {
  if (turn.cancelled) return { kind: 'cancelled' };
  if (turn.arrived || verdict === 'present') {
    if (turn.goOns >= limits.goOns) return { kind: 'given-up' };
    const wentOn = turn.goOns > 0;
    return { kind: 'go-on', remind: verdict === 'lost' || (verdict === 'absent' && !wentOn) };
  }
  return verdict === 'unknown' ? { kind: 'unknown' } : { kind: 'again' };
}

/**
 * Pure. What the replayed history says of an open turn. When nothing was given to this conversation since it was last looked at, that look still holds: the agent
 * died again before it was told what had been decided.
 */
export function look(
  ledger: Pick<Ledger, 'delivered' | 'given'>,
  turn: { prompt: readonly ContentBlock[]; arrived: boolean; goOns: number },
  messages: readonly (readonly string[])[],
): 'present' | 'absent' | 'unknown' {
  const words = turn.goOns > 0 ? undefined : wordsBesideMore(turn.prompt);
  if (ledger.given) return judge(ledger.delivered, messages, words);
  const own = hashPrompt(turn.prompt);
  const there = messages.some((chunks) => hashText(chunks.join('')) === own);
  return turn.arrived && there ? 'present' : 'absent';
}

/**
 * Did the agent take our last message in before it died? `delivered`: hashes of all user messages that we gave to this agent session, the
 * last being the one in question. Two messages in a row may be replayed as one, and one prompt as several chunks. `words`: the last holds an image or a
 * file beside them, and so may be replayed as something that only begins with them.
 */
export function judge(
  delivered: readonly string[],
  messages: readonly (readonly string[])[],
  words?: string,
): 'present' | 'absent' | 'unknown' {
  const wanted = delivered.at(-1);
  if (wanted === undefined) return 'unknown';
  const known = new Set(delivered);
  const read = messages.map((chunks) => recognise(chunks, known));
  const recognised = read.flatMap(({ found }) => found);
  const times = (list: readonly string[]): number => list.filter((hash) => hash === wanted).length;
  const missing = times(delivered) - times(recognised);
  if (missing <= 0) return 'present';
  if (words !== undefined) {
    const last = read.findLastIndex(({ found }) => found.length > 0);
    const strange = read.slice(Math.max(last, 0)).flatMap(({ rest }) => rest);
    if (words !== '' && strange.some((text) => normal(text).startsWith(words))) return 'present';
    if (strange.length > 0) return 'unknown';
  }
  if (missing > 1) return 'unknown'; // the same text was sent more often: the agent has dropped some of its past
  const before = delivered.at(-2);
  if (before === undefined) return messages.length === 0 ? 'absent' : 'unknown';
  // Its predecessor is there and it is not; or the places say the same of an agent that rewrites what it is told.
  if (recognised.at(-1) === before) return 'absent';
  return recognised.length === 0 && messages.length === delivered.length - 1 ? 'absent' : 'unknown';
}

/** Hashes of ours that stand in one replayed message, in order; and what comes behind the last of them. */
function recognise(
  chunks: readonly string[],
  known: ReadonlySet<string>,
): { found: string[]; rest: readonly string[] } {
  const found: string[] = [];
  let rest = chunks;
  for (let from = 0; from < chunks.length; from++) {
    for (let to = chunks.length; to > from; to--) {
      const hash = hashText(chunks.slice(from, to).join(''));
      if (!known.has(hash)) continue;
      found.push(hash);
      rest = chunks.slice(to);
      from = to - 1;
      break;
    }
  }
  return { found, rest };
}
