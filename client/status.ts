import type { Session } from '@berth/contract';

export type Tone = 'running' | 'waiting' | 'ok' | 'error' | 'off';
export type StatusGroup = 'needs-you' | 'running' | 'failed' | 'idle';
export interface StatusSign {
  /** A codicon's name; `loading` turns. */
  readonly icon: string;
  readonly tone: Tone;
  readonly group: StatusGroup;
}

export const isUnread = (session: Session): boolean => session.lastSeq > session.unreadSeq;
export const isTurnRunning = (session: Session): boolean =>
  session.status === 'running' || session.status === 'stalled' || session.status === 'waiting';
/** Nobody knows whether the last message reached the agent: a person has to say what became of it. */
export const isDeliveryUnknown = (session: Session): boolean =>
  session.status === 'waiting' &&
  session.reason !== undefined &&
  session.reason !== 'approval' &&
  session.reason !== 'budget';
/** Somebody asked the turn to stop, and the agent has not answered yet. */
export const isStopping = (session: Session): boolean =>
  session.cancelRequestedAt !== undefined && isTurnRunning(session);
/** The agent's own terminal has the conversation, and nothing about the session is more pressing. */
export const isInTerminal = (session: Session): boolean =>
  session.holder === 'terminal' && session.status === 'idle';
export const needsYou = (session: Session): boolean =>
  session.archivedAt === undefined &&
  (session.status === 'waiting' || session.status === 'stalled');

const signs = {
  starting: { icon: 'loading', tone: 'running', group: 'running' },
  running: { icon: 'session-in-progress', tone: 'running', group: 'running' },
  waiting: { icon: 'report', tone: 'waiting', group: 'needs-you' },
  stalled: { icon: 'warning', tone: 'waiting', group: 'needs-you' },
  idle: { icon: 'circle-small-filled', tone: 'off', group: 'idle' },
  suspending: { icon: 'debug-pause', tone: 'off', group: 'idle' },
  suspended: { icon: 'debug-pause', tone: 'off', group: 'idle' },
  waking: { icon: 'loading', tone: 'running', group: 'running' },
  failed: { icon: 'error', tone: 'error', group: 'failed' },
  lost: { icon: 'debug-disconnect', tone: 'error', group: 'failed' },
} as const satisfies Record<Session['status'], StatusSign>;

/** Icon, colour and group of a session's status, the same on every face; each adds its own words. */
export function statusSign(session: Session): StatusSign {
  if (isInTerminal(session)) return { icon: 'terminal', tone: 'running', group: 'idle' };
  return session.status === 'idle' && isUnread(session)
    ? { icon: 'circle-filled', tone: 'running', group: 'idle' }
    : signs[session.status];
}
