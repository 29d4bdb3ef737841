import type { Session } from '@berth/contract';
import { millis } from './clock.ts';
import { clockTime, minutes, when } from './words.ts';

/** Names of theme colours that VS Code knows; the words beside the icon say the same. */
export const tones = {
  running: 'charts.blue',
  waiting: 'list.warningForeground',
  error: 'list.errorForeground',
  off: 'descriptionForeground',
} as const;
export type Tone = keyof typeof tones;
export type StatusGroup = 'needs-you' | 'running' | 'failed' | 'idle';
export interface StatusLook {
  readonly icon: string;
  readonly tone: Tone;
  /** Beside the title in the tree. */
  readonly words: string;
  readonly group: StatusGroup;
}

export const isUnread = (session: Session): boolean => session.lastSeq > session.unreadSeq;
export const needsYou = (session: Session): boolean =>
  session.archivedAt === undefined &&
  (session.status === 'waiting' || session.status === 'stalled');
export const isTurnRunning = (session: Session): boolean =>
  session.status === 'running' || session.status === 'stalled' || session.status === 'waiting';

const join = (...words: string[]) => words.filter((word) => word !== '').join(' ');

/** Icon, colour and words of a session's status: tree, tab, status bar and notifications all take them from here. */
export function statusLook(session: Session, now: number): StatusLook {
  const since = minutes(now - millis(session.statusSince));
  switch (session.status) {
    case 'starting':
      return { icon: 'loading~spin', tone: 'running', words: 'starting', group: 'running' };
    case 'running':
      return {
        icon: 'session-in-progress',
        tone: 'running',
        words: join('running', since),
        group: 'running',
      };
    case 'waiting':
      return {
        icon: 'report',
        tone: 'waiting',
        words: session.reason === 'budget' ? 'budget spent' : 'needs you',
        group: 'needs-you',
      };
    case 'stalled':
      return {
        icon: 'warning',
        tone: 'waiting',
        words: join('stalled', since),
        group: 'needs-you',
      };
    case 'idle': {
      const done = `done ${when(millis(session.statusSince), now)}`;
      return isUnread(session)
        ? { icon: 'circle-filled', tone: 'running', words: done, group: 'idle' }
        : { icon: 'circle-small-filled', tone: 'off', words: done, group: 'idle' };
    }
    case 'suspending':
      return { icon: 'debug-pause', tone: 'off', words: 'suspending', group: 'idle' };
    case 'suspended':
      return { icon: 'debug-pause', tone: 'off', words: 'suspended', group: 'idle' };
    case 'waking':
      return { icon: 'loading~spin', tone: 'running', words: 'waking up', group: 'running' };
    case 'failed':
      return {
        icon: 'error',
        tone: 'error',
        words: session.reason ? `failed: ${session.reason}` : 'failed',
        group: 'failed',
      };
    case 'lost':
      return { icon: 'debug-disconnect', tone: 'error', words: 'sandbox lost', group: 'failed' };
  }
}

/** Without a connection only the past is known: nothing spins, nothing counts on, and what was going on is said with its time. */
export function offlineLook(session: Session, heardAt: number): StatusLook {
  const look = statusLook(session, heardAt);
  const goingOn = look.group === 'running' || session.status === 'stalled';
  const words = goingOn
    ? `was ${look.words.replace(/ \d+ .*$/, '')} at ${clockTime(heardAt)}`
    : look.words;
  return { ...look, icon: 'debug-disconnect', tone: 'off', words };
}
