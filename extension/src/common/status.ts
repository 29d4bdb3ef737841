import {
  isInTerminal,
  isStopping,
  statusSign,
  type StatusSign,
  type Tone,
} from '@berth/client/status';
import { clockTime, minutes, when } from '@berth/client/words';
import type { Session } from '@berth/contract';
import { millis } from './clock.ts';

/** Names of theme colours that VS Code knows; the words beside the icon say the same. */
export const tones = {
  running: 'charts.blue',
  waiting: 'list.warningForeground',
  ok: 'charts.green',
  error: 'list.errorForeground',
  off: 'descriptionForeground',
} as const satisfies Record<Tone, string>;
export interface StatusLook extends StatusSign {
  /** Beside the title in the tree. */
  readonly words: string;
}

/** Icon, colour and words of a session's status: tree, tab, status bar and notifications all take them from here. */
export function statusLook(session: Session, now: number): StatusLook {
  const sign = statusSign(session);
  const icon = sign.icon === 'loading' ? 'loading~spin' : sign.icon;
  return { ...sign, icon, words: wordsOf(session, now) };
}

/** In a tab `loading` turns the title with it, whether it was asked to or not: there it is the still one. */
export const tabIcon = ({ icon }: StatusLook): string =>
  icon.startsWith('loading') ? 'session-in-progress' : icon;

const join = (...words: string[]) => words.filter((word) => word !== '').join(' ');

function wordsOf(session: Session, now: number): string {
  if (isStopping(session)) return 'stopping';
  const since = millis(session.statusSince);
  switch (session.status) {
    case 'running':
    case 'stalled':
      return join(session.status, minutes(now - since));
    case 'waiting':
      return session.reason === 'budget' ? 'budget spent' : 'needs you';
    case 'idle':
      if (!isInTerminal(session)) return `done ${when(since, now)}`;
      return session.queued > 0 ? `in a terminal, ${session.queued} waiting` : 'in a terminal';
    case 'waking':
      return 'waking up';
    case 'failed':
      return session.reason ? `failed: ${session.reason}` : 'failed';
    case 'lost':
      return 'sandbox lost';
    case 'starting':
    case 'suspending':
    case 'suspended':
      return session.status;
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
