import type { Session } from '@berth/contract';
import { millis } from '../clock.ts';
import { clockTime, duration } from './format.ts';

export type Tone = 'running' | 'waiting' | 'ok' | 'error' | 'off';
export interface StatusLook {
  readonly icon: string;
  readonly tone: Tone;
  readonly words: string;
  readonly group: 'needs-you' | 'running' | 'failed' | 'idle';
}

const isUnread = (session: Session): boolean => session.lastSeq > session.unreadSeq;

/** Icon, colour and words of a session's status: the same in header, table and list. */
export function statusLook(session: Session, now: number): StatusLook {
  const since = duration(now - millis(session.statusSince));
  switch (session.status) {
    case 'starting':
      return { icon: 'loading', tone: 'running', words: 'Starting sandbox', group: 'running' };
    case 'running':
      return {
        icon: 'session-in-progress',
        tone: 'running',
        words: `Running ${since}`,
        group: 'running',
      };
    case 'waiting':
      return {
        icon: 'report',
        tone: 'waiting',
        words: session.reason === 'budget' ? 'Budget spent' : 'Needs you',
        group: 'needs-you',
      };
    case 'stalled':
      return {
        icon: 'warning',
        tone: 'waiting',
        words: `Stalled for ${since}`,
        group: 'needs-you',
      };
    case 'idle':
      return isUnread(session)
        ? { icon: 'circle-filled', tone: 'running', words: 'New answer', group: 'idle' }
        : { icon: 'circle-small-filled', tone: 'off', words: 'Idle', group: 'idle' };
    case 'suspending':
      return { icon: 'debug-pause', tone: 'off', words: 'Suspending', group: 'idle' };
    case 'suspended':
      return { icon: 'debug-pause', tone: 'off', words: 'Suspended', group: 'idle' };
    case 'waking':
      return { icon: 'loading', tone: 'running', words: 'Waking up', group: 'running' };
    case 'failed':
      return {
        icon: 'error',
        tone: 'error',
        words: session.reason ? `Failed: ${session.reason}` : 'Failed',
        group: 'failed',
      };
    case 'lost':
      return { icon: 'debug-disconnect', tone: 'error', words: 'Sandbox lost', group: 'failed' };
  }
}

const past = {
  starting: 'Was starting',
  idle: 'Was idle',
  running: 'Was running',
  waiting: 'Needed you',
  stalled: 'Was stalled',
  suspending: 'Was being suspended',
  suspended: 'Was suspended',
  waking: 'Was waking up',
  failed: 'Had failed',
  lost: 'Had lost its sandbox',
} as const satisfies Record<Session['status'], string>;

/** Without a connection only the past is known. */
export function offlineLook(session: Session, lastHeardAt: number, now: number): StatusLook {
  return {
    ...statusLook(session, lastHeardAt),
    icon: 'debug-disconnect',
    tone: 'off',
    words: `${past[session.status]} at ${clockTime(Math.min(lastHeardAt, now))}`,
  };
}

export const isTurnRunning = (session: Session): boolean =>
  session.status === 'running' || session.status === 'stalled' || session.status === 'waiting';
