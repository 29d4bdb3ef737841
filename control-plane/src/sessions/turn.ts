import type { SettleTurn, TurnState } from '@berth/contract';

/**
 * A turn is one prompt on its way.
 *
 *     queued ──► sent ──► accepted ──► running ──► done | cancelled | failed
 *        │         └───────────┴──────────┴──────► unknown (nobody can tell whether it arrived: a person settles it)
 *        └──► cancelled (withdrawn)
 *
 * `sent`: handed to the link. `accepted`: in the runner's journal, on disk. `running`: the agent has it.
 * One turn of a session is between `sent` and its end at any time; `unknown` holds the queue too.
 */
export type TurnEvent =
  | { kind: 'sent' }
  | { kind: 'accepted' }
  | { kind: 'refused' }
  | { kind: 'started' }
  | { kind: 'ended'; state: 'done' | 'cancelled' | 'failed' | 'unknown' }
  /** The runner's journal is gone, and with it the answer to "did the agent get it?". */
  | { kind: 'journalLost' }
  | { kind: 'withdrawn' }
  | { kind: 'settled'; answer: SettleTurn['answer'] };

export const turnEnds = ['done', 'cancelled', 'failed'] as const satisfies readonly TurnState[];
/** In this state the agent has, or may have, the prompt. */
export const inFlight = ['sent', 'accepted', 'running'] as const satisfies readonly TurnState[];
/** Nothing else of the queue is sent meanwhile. */
export const holdsQueue = [...inFlight, 'unknown'] as const satisfies readonly TurnState[];

const settled = { resend: 'sent', arrived: 'done', drop: 'cancelled' } as const;
const isInFlight = (state: TurnState): boolean => inFlight.some((s) => s === state);

/** Pure. An event that does not apply (late, repeated) gives the same state. */
export function nextTurnState(state: TurnState, event: TurnEvent): TurnState {
  switch (event.kind) {
    case 'sent':
      return state === 'queued' ? 'sent' : state;
    case 'accepted':
      return state === 'sent' ? 'accepted' : state;
    case 'refused':
      return state === 'sent' ? 'failed' : state;
    case 'started':
      return state === 'sent' || state === 'accepted' ? 'running' : state;
    case 'ended':
      return isInFlight(state) ? event.state : state;
    case 'journalLost':
      return isInFlight(state) ? 'unknown' : state;
    case 'withdrawn':
      return state === 'queued' ? 'cancelled' : state;
    case 'settled':
      return state === 'unknown' ? settled[event.answer] : state;
  }
}

const allStates = [
  'queued',
  ...inFlight,
  ...turnEnds,
  'unknown',
] as const satisfies readonly TurnState[];
/** The states in which the event applies: the guard of the compare-and-set. */
export const statesBefore = (event: TurnEvent): TurnState[] =>
  allStates.filter((state) => nextTurnState(state, event) !== state);
