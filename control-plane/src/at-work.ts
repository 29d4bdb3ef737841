import type { Actor } from './identity/index.ts';
import type { SessionsFeature } from './sessions/index.ts';

const atWork = ['running', 'waiting', 'stalled'] as const;

/** A notice in every session that an agent works in now. */
export const tellWorking =
  (feature: Pick<SessionsFeature, 'sessions' | 'notice'>, owner: Actor) =>
  async (code: string, text: string): Promise<void> => {
    for (const status of atWork)
      for (const { id } of (await feature.sessions.list(owner, { status, limit: 200 })).items)
        feature.notice(id, code, text);
  };

/** A turn runs somewhere, or waits for a person in its middle: a runner of another build may not be replaced now. */
export async function anyTurnOpen(
  { sessions }: Pick<SessionsFeature, 'sessions'>,
  owner: Actor,
): Promise<boolean> {
  for (const status of atWork)
    if ((await sessions.list(owner, { status, limit: 1 })).items.length > 0) return true;
  return false;
}
