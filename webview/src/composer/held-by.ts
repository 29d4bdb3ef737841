import type { ChatState } from '../store/chat.ts';

export type Held =
  'archived' | 'terminal' | 'signed-out' | 'failed' | 'lost' | 'read-only' | 'suspended' | null;

/** Why nothing can be written here now. `suspended` only adds a line: a message is what wakes it. */
export function heldBy(state: Pick<ChatState, 'session' | 'hello' | 'connection'>): Held {
  const { session, hello, connection } = state;
  if (!session) return null;
  if (connection.state === 'signedOut') return 'signed-out';
  if (hello && !hello.canWrite) return 'read-only';
  if (session.archivedAt !== undefined) return 'archived';
  if (session.holder === 'terminal') return 'terminal';
  if (session.status === 'failed') return 'failed';
  if (session.status === 'lost') return 'lost';
  if (session.status === 'suspended' || session.status === 'suspending') return 'suspended';
  return null;
}
export const replacesComposer = (held: Held): boolean => held !== null && held !== 'suspended';
