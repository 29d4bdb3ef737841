import type { SandboxPhase, SessionStatus, TurnState } from '@berth/contract';

/** All that a session's status depends on. Read from the rows in one go, plus what only time tells. */
export interface SessionFacts {
  /** The status so far: only to tell a first start from a wake. */
  readonly status: SessionStatus;
  readonly desired: 'running' | 'suspended' | 'removed';
  readonly phase: SandboxPhase;
  /** Why the phase is `failed` or `lost`. */
  readonly phaseDetail: string | null;
  /** The turn that holds the queue. */
  readonly turn: TurnState | null;
  readonly queued: number;
  /** While the agent's own terminal has the conversation, the queue waits. */
  readonly holder: 'chat' | 'terminal';
  readonly waitingApprovals: number;
  /** Since the runner last said anything. */
  readonly silentMs: number;
  /** Since the runner's link broke; 0 while it stands. */
  readonly unreachableMs: number;
}
export interface Status {
  readonly status: SessionStatus;
  readonly reason: string | null;
}

export const lifecycleLimits = {
  stalledMs: 5 * 60_000,
  /** A control plane that restarts, or a network that blinks, is no news. */
  unreachableMs: 20_000,
} as const;

const asleep: readonly SessionStatus[] = ['suspending', 'suspended', 'waking'];

/** Pure: the same facts give the same status, so that it cannot flap. */
export function sessionStatus(facts: SessionFacts): Status {
  switch (facts.phase) {
    case 'requested':
    case 'installing':
    case 'creating':
    case 'starting':
      return goingDown(facts) ?? comingUp(facts);
    case 'agent-starting':
      // A new agent process in the middle of a turn is part of that turn.
      return (
        goingDown(facts) ??
        (facts.turn !== null && hasWorked(facts.status) ? atWork(facts) : comingUp(facts))
      );
    case 'ready':
      return goingDown(facts) ?? atWork(facts);
    case 'suspending':
    case 'suspended':
      if (facts.desired === 'running') return { status: 'waking', reason: null };
      return { status: facts.phase, reason: null };
    case 'waking':
      return goingDown(facts) ?? { status: 'waking', reason: null };
    case 'failed':
      return goingDown(facts) ?? { status: 'failed', reason: facts.phaseDetail };
    case 'lost':
      return goingDown(facts) ?? { status: 'lost', reason: facts.phaseDetail };
    case 'removed':
      return { status: 'suspended', reason: null };
  }
}

function goingDown({ desired }: SessionFacts): Status | null {
  return desired === 'running' ? null : { status: 'suspending', reason: null };
}
function comingUp({ status }: SessionFacts): Status {
  return { status: asleep.includes(status) ? 'waking' : 'starting', reason: null };
}
const hasWorked = (status: SessionStatus): boolean =>
  status === 'running' || status === 'waiting' || status === 'stalled' || status === 'lost';

function atWork(facts: SessionFacts): Status {
  if (facts.unreachableMs >= lifecycleLimits.unreachableMs)
    return { status: 'lost', reason: 'the runner is not connected' };
  if (facts.turn === 'unknown')
    return { status: 'waiting', reason: 'it is not known whether the last message arrived' };
  if (facts.waitingApprovals > 0) return { status: 'waiting', reason: 'approval' };
  if (facts.turn !== null) {
    return facts.silentMs >= lifecycleLimits.stalledMs
      ? { status: 'stalled', reason: 'nothing was heard for five minutes' }
      : { status: 'running', reason: null };
  }
  // The next message of the queue is about to be sent: no moment of idleness between two turns.
  const due = facts.queued > 0 && facts.holder === 'chat';
  return { status: due ? 'running' : 'idle', reason: null };
}
