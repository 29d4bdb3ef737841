import type { TurnState } from '@berth/contract';

/** A turn that is over, or in question, and the ends of it that the log has. */
export interface EndedTurn {
  readonly id: string;
  readonly state: TurnState;
  readonly resends: number;
  readonly sent: boolean;
  readonly accepted: boolean;
  readonly told: readonly string[];
}

/** Pure. Each time that it came into question is told once; every other end once. */
export function endIsTold({
  state,
  resends,
  told,
}: Pick<EndedTurn, 'state' | 'resends' | 'told'>): boolean {
  return told.filter((each) => each === state).length > (state === 'unknown' ? resends : 0);
}

/**
 * Pure. An end that the control plane itself decided (withdrawn, refused, settled by a person, in question) and did not come to say. What the runner ended
 * it says again, after everything that came before.
 */
export function endIsMissing(turn: EndedTurn): boolean {
  if (endIsTold(turn)) return false;
  const questions = turn.told.filter((each) => each === 'unknown').length;
  return turn.state === 'unknown' || !turn.sent || !turn.accepted || questions > turn.resends;
}
