import { currentTurn, type Ledger } from '../journal/ledger.ts';
import { limits } from '../limits.ts';

/**
 * Where a session stands on this machine. Events from outside only change these facts; one loop asks `nextAction` and does one thing at a time.
 *
 *   workspace  unseen → ready | awaiting-archive → ready | failed (asked again by restart)
 *   agent      none → up → none …; failed after too many deaths, or too many starts without an answer, until somebody restarts it
 *   holds      reasons why no agent may run: its terminal has the conversation, or the sandbox is about to stop
 */
export type Hold = 'terminal' | 'quiesced' | 'archive';
export interface SessionState {
  readonly here: boolean;
  readonly workspace: 'unseen' | 'awaiting-archive' | 'ready' | 'failed';
  readonly agent: 'none' | 'up' | 'failed';
  readonly holds: readonly Hold[];
  readonly deaths: readonly number[];
  /** Starts in a row in which it did not answer in time. They take longer than the window in which deaths are counted. */
  readonly silences: number;
  readonly restartWanted: boolean;
  /** A prompt is with the agent. */
  readonly prompting: boolean;
}
export const initialState: SessionState = {
  here: false,
  workspace: 'unseen',
  agent: 'none',
  holds: [],
  deaths: [],
  silences: 0,
  restartWanted: false,
  prompting: false,
};

export type SessionEvent =
  | { kind: 'here' }
  | { kind: 'gone' }
  | { kind: 'workspace'; is: SessionState['workspace'] }
  | { kind: 'agent-up' }
  /** We ended it. */
  | { kind: 'agent-stopped' }
  | { kind: 'agent-died'; at: number }
  /** It lives, and did not answer: we ended it. */
  | { kind: 'agent-silent' }
  | { kind: 'restart' }
  | { kind: 'hold'; why: Hold }
  | { kind: 'release'; why: Hold }
  | { kind: 'prompted' }
  | { kind: 'answered' };

/** Pure. An event that does not apply returns the same facts. */
export function reduce(state: SessionState, event: SessionEvent): SessionState {
  switch (event.kind) {
    case 'here':
      return { ...state, here: true };
    case 'gone':
      return { ...state, here: false };
    case 'workspace':
      return { ...state, workspace: event.is };
    case 'agent-up':
      return { ...state, agent: 'up', silences: 0, restartWanted: false, prompting: false };
    case 'agent-stopped':
      return { ...state, agent: 'none', prompting: false };
    case 'agent-died': {
      const since = event.at - limits.deathWindowMs;
      // A death that is still to come is one of a clock that was set back: it tells nothing of this minute.
      const deaths = [...state.deaths.filter((at) => at > since && at <= event.at), event.at];
      const agent = deaths.length >= limits.deaths ? 'failed' : 'none';
      return { ...state, agent, deaths, prompting: false };
    }
    case 'agent-silent': {
      const silences = state.silences + 1;
      const agent = silences >= limits.silences ? 'failed' : 'none';
      return { ...state, agent, silences, prompting: false };
    }
    case 'restart':
      return {
        ...state,
        agent: state.agent === 'failed' ? 'none' : state.agent,
        workspace: state.workspace === 'failed' ? 'unseen' : state.workspace,
        deaths: [],
        silences: 0,
        restartWanted: state.agent === 'up',
      };
    case 'hold':
      return state.holds.includes(event.why)
        ? state
        : { ...state, holds: [...state.holds, event.why] };
    case 'release':
      return { ...state, holds: state.holds.filter((why) => why !== event.why) };
    case 'prompted':
      return { ...state, prompting: state.agent === 'up' };
    case 'answered':
      return { ...state, prompting: false };
  }
}

export type Action = 'wait' | 'prepare-workspace' | 'stop-agent' | 'start-agent' | 'deliver';

/** Pure. The one thing to do now. */
export function nextAction(state: SessionState, ledger: Ledger): Action {
  if (!state.here) return 'wait';
  if (state.agent === 'up' && (state.holds.length > 0 || state.restartWanted)) return 'stop-agent';
  if (state.workspace === 'unseen') return 'prepare-workspace';
  if (state.workspace !== 'ready' || state.holds.length > 0 || state.agent === 'failed')
    return 'wait';
  if (state.agent === 'none') return 'start-agent';
  return !state.prompting && currentTurn(ledger) !== null ? 'deliver' : 'wait';
}
