import type { Approval, Session } from '@berth/contract';
import type { HubState } from './state.ts';
import { needsYou } from '@berth/client/status';
import { statusLook } from './status.ts';
import { inNeed, simpleAnswer } from './tree.ts';
import { cut, plain } from './words.ts';

/** The status bar's entry. `command` is what a click does. */
export interface BarEntry {
  readonly text: string;
  readonly tooltip: string;
  readonly command: string;
}

export const badgeOf = (state: HubState): number => inNeed(state).length;

/** Null: nothing to say, because no server was ever known here. */
export function barOf(state: HubState, now: number): BarEntry | null {
  const { server } = state;
  switch (server.kind) {
    case 'looking':
      return null;
    case 'absent':
      return {
        text: '$(debug-disconnect) Berth: not connected',
        tooltip: server.url === null ? 'No server is known.' : `Nobody answers at ${server.url}.`,
        command: 'berth.connect',
      };
    case 'signed-out':
      return {
        text: '$(sign-in) Berth: sign in',
        tooltip: `You are signed out of ${server.url}.`,
        command: 'berth.signIn',
      };
    case 'incompatible':
      return {
        text: '$(warning) Berth: update needed',
        tooltip: server.detail,
        command: 'berth.showLogs',
      };
    case 'offline':
      return {
        text: '$(debug-disconnect) Berth: connection lost',
        tooltip:
          'The agents go on. You see the rest when the connection is back. Click to try now.',
        command: 'berth.reconnect',
      };
    case 'online': {
      const need = badgeOf(state);
      if (need > 0)
        return {
          text: `$(report) ${need === 1 ? '1 needs you' : `${need} need you`}`,
          tooltip: inNeed(state)
            .map(({ title }) => title)
            .join('\n'),
          command: 'berth.showInbox',
        };
      const running = [...state.sessions.values()].filter(
        (session) =>
          session.archivedAt === undefined && statusLook(session, now).group === 'running',
      ).length;
      return running > 0
        ? {
            text: `$(session-in-progress) ${running} running`,
            tooltip: server.url,
            command: 'berth.switchSession',
          }
        : { text: '$(check) Berth', tooltip: server.url, command: 'berth.switchSession' };
    }
  }
}

/** True when agents run without a sandbox. */
export const isUnsafe = (state: HubState): boolean => state.meta?.isolation.isolated === false;

export type NoticeLevel = 'off' | 'unfocused' | 'always';
export interface NoticeSettings {
  readonly needsInput: NoticeLevel;
  readonly completed: NoticeLevel;
  readonly failed: NoticeLevel;
}
export interface Notice {
  /** The same notice is shown once. */
  readonly key: string;
  readonly level: 'information' | 'warning';
  readonly text: string;
  readonly sessionId: string;
  /** With it the notice itself can be answered. */
  readonly approval: Approval | null;
}
/** Where the person looks. */
export interface Looking {
  readonly focused: boolean;
  /** The session whose chat is visible. */
  readonly sessions: ReadonlySet<string>;
}

const wanted = (level: NoticeLevel, focused: boolean): boolean =>
  level === 'always' || (level === 'unfocused' && !focused);

/**
 * Pure. What to tell when `before` became `now`. What the person already looks at is not told, and neither is what was so
 * when the window opened or the connection came back: the badge says that.
 */
export function noticesOf(
  before: HubState,
  now: HubState,
  settings: NoticeSettings,
  looking: Looking,
): Notice[] {
  if (!before.loaded || !now.loaded || now.server.kind !== 'online') return [];
  const seen = (sessionId: string) => looking.focused && looking.sessions.has(sessionId);
  const notices: Notice[] = [];
  if (wanted(settings.needsInput, looking.focused)) {
    for (const approval of now.approvals.values()) {
      if (approval.state !== 'waiting' || seen(approval.sessionId)) continue;
      const known = before.approvals.get(approval.id);
      if (known?.state === 'waiting' && known.revision === approval.revision) continue;
      notices.push({
        key: `approval:${approval.id}:${approval.revision}`,
        level: 'information',
        text: `${cut(plain(approval.sessionTitle), 60)}: ${cut(plain(approval.title), 200)}`,
        sessionId: approval.sessionId,
        approval: simpleAnswer(approval) ? approval : null,
      });
    }
  }
  for (const session of now.sessions.values()) {
    const was = before.sessions.get(session.id);
    if (!was || was.status === session.status || seen(session.id)) continue;
    const notice = ofChange(was, session, settings, looking.focused);
    if (notice) notices.push(notice);
  }
  return notices;
}

function ofChange(
  was: Session,
  session: Session,
  settings: NoticeSettings,
  focused: boolean,
): Notice | null {
  const title = cut(plain(session.title), 60);
  const make = (level: Notice['level'], text: string): Notice => ({
    key: `${session.status}:${session.id}:${session.statusSince}`,
    level,
    text: `${title}: ${text}`,
    sessionId: session.id,
    approval: null,
  });
  switch (session.status) {
    case 'failed':
    case 'lost':
      return wanted(settings.failed, focused)
        ? make('warning', session.status === 'lost' ? 'sandbox lost' : reasonOf(session))
        : null;
    case 'stalled':
      return wanted(settings.needsInput, focused)
        ? make('information', 'nothing heard from the agent for 5 min')
        : null;
    case 'idle':
      return wanted(settings.completed, focused) && (was.status === 'running' || needsYou(was))
        ? make('information', 'the agent is done')
        : null;
    case 'waiting': // what it waits for is an approval, which tells itself
    case 'starting':
    case 'running':
    case 'suspending':
    case 'suspended':
    case 'waking':
      return null;
  }
}
const reasonOf = ({ reason }: Session) => (reason ? `failed, ${plain(reason)}` : 'failed');
