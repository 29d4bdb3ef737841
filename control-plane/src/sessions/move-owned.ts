import type { TurnState } from '@berth/contract';
import type { Core } from './core.ts';
import type { Owned } from './owner.ts';
import type { TurnEvent } from './turn.ts';
import { moveTurn, type TurnRow } from './turns.store.ts';

/** What the runner says of a turn, within a job of the session's writer. Null: it did not apply. Throws Elsewhere when another process writes the session by now. */
export async function moveOwned(
  core: Core,
  owned: Owned,
  turnId: string,
  event: TurnEvent,
  to: TurnState,
  at: Date,
  details: Omit<Parameters<typeof moveTurn>[6] & object, 'epoch'> = {},
): Promise<TurnRow | null> {
  const moved = await moveTurn(core.pool, owned.sessionId, turnId, event, to, at, {
    ...details,
    epoch: owned.log.epoch,
  });
  if (moved === null) await core.owner.mustOwn(owned);
  return moved;
}
