import type { ChatState } from '../store/chat.ts';

export type Held =
  'archived' | 'terminal' | 'signed-out' | 'failed' | 'lost' | 'read-only' | 'suspended' | null;

/**
 * What stands between a message and the agent. `suspended` and `terminal` only add a line: what is written then waits in the queue, or wakes the
 * sandbox.
 */
export function heldBy(state: Pick<ChatState, 'session' | 'hello' | 'connection'>): Held {
  const { session, hello, connection } = state;
  if (!session) return null;
  if (connection.state === 'signedOut') return 'signed-out';
  if (hello && !hello.canWrite) return 'read-only';
  if (session.archivedAt !== undefined) return 'archived';
  if (session.status === 'failed') return 'failed';
  if (session.status === 'lost') return 'lost';
  if (session.holder === 'terminal') return 'terminal';
  if (session.status === 'suspended' || session.status === 'suspending') return 'suspended';
  return null;
}
export const replacesComposer = (held: Held): boolean =>
  held !== null && held !== 'suspended' && held !== 'terminal';
