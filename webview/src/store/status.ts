import {
  isInTerminal,
  isStopping,
  isUnread,
  statusSign,
  type StatusSign,
} from '@berth/client/status';
import { clockTime, duration } from '@berth/client/words';
import type { Session } from '@berth/contract';
import { millis } from '../clock.ts';

export interface StatusLook extends StatusSign {
  readonly words: string;
}

/** Icon, colour and words of a session's status: the same in header, table and list. */
export const statusLook = (session: Session, now: number): StatusLook => ({
  ...statusSign(session),
  words: wordsOf(session, now),
});

function wordsOf(session: Session, now: number): string {
  if (isStopping(session)) return 'Stopping';
  const since = duration(now - millis(session.statusSince));
  switch (session.status) {
    case 'starting':
      return 'Starting sandbox';
    case 'running':
      return `Running ${since}`;
    case 'waiting':
      return session.reason === 'budget' ? 'Budget spent' : 'Needs you';
    case 'stalled':
      return `Stalled for ${since}`;
    case 'idle':
      if (isInTerminal(session)) return 'In a terminal';
      return isUnread(session) ? 'New answer' : 'Idle';
    case 'suspending':
      return 'Suspending';
    case 'suspended':
      return 'Suspended';
    case 'waking':
      return 'Waking up';
    case 'failed':
      return session.reason ? `Failed: ${session.reason}` : 'Failed';
    case 'lost':
      return 'Sandbox lost';
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
    words: `${isInTerminal(session) ? 'Was in a terminal' : past[session.status]} at ${clockTime(Math.min(lastHeardAt, now))}`,
  };
}
