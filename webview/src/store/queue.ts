import type { ContentBlock, Person, Turn } from '@berth/contract';
import type { View } from './view.ts';

export interface Waiting {
  readonly turnId: string;
  readonly prompt: readonly ContentBlock[];
  readonly by: Person | null;
  /** Sent from here, not heard of by the server's log yet. */
  readonly leaving: boolean;
}
/** A message on its way to the server. */
export interface Outgoing {
  readonly turnId: string;
  readonly prompt: readonly ContentBlock[];
}

/**
 * The messages that wait, in the order in which the agent will get them. `turns` is what the server listed when the session was
 * opened; the log knows better about every turn that it mentions.
 */
export function queueOf(
  view: View,
  turns: readonly Turn[],
  outgoing: readonly Outgoing[],
): readonly Waiting[] {
  const listed = turns
    .filter((turn) => turn.state === 'queued' && !view.turns.has(turn.id))
    .map((turn) => ({
      position: turn.position ?? 0,
      seq: 0,
      waiting: { turnId: turn.id, prompt: turn.prompt, by: turn.by ?? null, leaving: false },
    }));
  const prompts = new Map(turns.map((turn) => [turn.id, turn.prompt]));
  const told = [...view.turns.values()]
    .filter((turn) => turn.state === 'queued')
    .map((turn) => ({
      position: turn.position ?? Number.MAX_SAFE_INTEGER,
      seq: turn.queuedSeq,
      waiting: {
        turnId: turn.turnId,
        prompt: turn.prompt ?? prompts.get(turn.turnId) ?? [],
        by: turn.by ?? null,
        leaving: false,
      },
    }));
  const known = [...listed, ...told]
    .sort((a, b) => a.position - b.position || a.seq - b.seq)
    .map(({ waiting }) => waiting);
  const leaving = outgoing
    .filter(({ turnId }) => !view.turns.has(turnId) && !turns.some(({ id }) => id === turnId))
    .map(({ turnId, prompt }) => ({ turnId, prompt, by: null, leaving: true }));
  return [...known, ...leaving];
}
