import type { ContentBlock, Event, Person, Session, Turn } from '@berth/contract';
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
 * The order of the messages that wait, by the ids of their turns. A `position` counts the queue as it was when the event was
 * said, so places are followed event by event: comparing positions of different moments would mix them up.
 */
export function foldQueue(order: readonly string[], events: readonly Event[]): readonly string[] {
  let queue = order;
  for (const event of events) {
    switch (event.kind) {
      case 'turn.queued': {
        const { turnId, position } = event.payload;
        const others = queue.filter((id) => id !== turnId);
        const known = queue.indexOf(turnId);
        const place = position ?? (known < 0 ? others.length : known);
        queue = [...others.slice(0, place), turnId, ...others.slice(place)];
        break;
      }
      case 'turn.started':
      case 'turn.ended':
      case 'message.user': {
        const { turnId } = event.payload;
        if (queue.includes(turnId)) queue = queue.filter((id) => id !== turnId);
        break;
      }
    }
  }
  return queue;
}

/**
 * The order at the opening of a session: what the server listed, then what the log has told since. The list may be a little
 * older or younger than the window; what only one of them knows is put right by the events that follow.
 */
export function seedQueue(
  order: readonly string[],
  turns: readonly Turn[],
  view: View,
): readonly string[] {
  const listed = turns
    .filter(({ id, state }) => state === 'queued' && (view.turns.get(id)?.state ?? state) === state)
    .sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
    .map(({ id }) => id);
  return [...listed, ...order.filter((id) => !listed.includes(id))];
}

/** The messages that wait, in the order in which the agent will get them, then those that are on their way to the server. */
export function queueOf(
  order: readonly string[],
  view: View,
  turns: readonly Turn[],
  outgoing: readonly Outgoing[],
): readonly Waiting[] {
  const known = order.map((turnId) => {
    const told = view.turns.get(turnId);
    const listed = turns.find(({ id }) => id === turnId);
    return {
      turnId,
      prompt: told?.prompt ?? listed?.prompt ?? [],
      by: told?.by ?? listed?.by ?? null,
      leaving: false,
    };
  });
  const leaving = outgoing
    .filter(({ turnId }) => !view.turns.has(turnId) && !order.includes(turnId))
    .map(({ turnId, prompt }) => ({ turnId, prompt, by: null, leaving: true }));
  return [...known, ...leaving];
}

/** Why the messages wait, in words. Pure. `usual`: nothing that a person did not expect. */
export function whyWaiting(
  session: Pick<Session, 'status' | 'holder' | 'archivedAt'>,
  asked: boolean,
): { words: string; usual: boolean } {
  const reason = (words: string) => ({ words, usual: false });
  if (session.archivedAt !== undefined) return reason('The session is archived');
  if (asked) return reason('Sent when the question above is answered');
  if (session.holder === 'terminal')
    return reason('Sent when the conversation is back in the chat');
  switch (session.status) {
    case 'starting':
    case 'waking':
    case 'suspending':
    case 'suspended':
      return reason('Sent when the sandbox is ready');
    case 'failed':
    case 'lost':
      return reason('Sent when there is a sandbox again');
    case 'idle':
    case 'running':
    case 'waiting':
    case 'stalled':
      return { words: 'Sent in this order when the agent is done', usual: true };
  }
}

/** Whether what is sent now goes to the agent at once: then it stands in the conversation and not in the queue. */
export const goesAtOnce = (session: Pick<Session, 'status' | 'holder'>): boolean =>
  session.holder === 'chat' && ['idle', 'starting', 'waking'].includes(session.status);
