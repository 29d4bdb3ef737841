import { needsYou } from '@berth/client/status';
import type { Approval, Session } from '@berth/contract';
import { millis } from './clock.ts';
import type { HubState } from './state.ts';
import { simpleAnswer } from './tree.ts';
import { cut, plain } from './words.ts';

/** One thing that waits for a person. */
export interface InboxRow {
  readonly id: string;
  readonly icon: string;
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly at: number;
  readonly sessionId: string;
  /** A yes and a no: the row itself can answer it. Everything else is answered where all of it can be read. */
  readonly approval: Approval | null;
}

/** Pure: all that waits in all sessions, the oldest first. Several questions of one session are several rows. */
export function inboxOf(state: HubState): InboxRow[] {
  const asked = [...state.approvals.values()].filter((approval) => approval.state === 'waiting');
  const rows = asked.map(rowOfApproval);
  const told = new Set(asked.map(({ sessionId }) => sessionId));
  for (const session of state.sessions.values()) {
    if (needsYou(session) && !told.has(session.id)) rows.push(rowOfSession(session));
  }
  return rows.sort((a, b) => a.at - b.at || a.id.localeCompare(b.id));
}

function rowOfApproval(approval: Approval): InboxRow {
  const ofDelivery = approval.about === 'delivery';
  return {
    id: approval.id,
    icon: ofDelivery ? 'question' : 'report',
    label: ofDelivery
      ? `Did this message reach the agent? ${cut(plain(approval.facts?.[0]?.value ?? ''), 80)}`
      : cut(plain(approval.title), 120),
    description: plain(approval.agentName),
    detail: plain(approval.sessionTitle),
    at: millis(approval.createdAt),
    sessionId: approval.sessionId,
    approval: simpleAnswer(approval) ? approval : null,
  };
}

function rowOfSession(session: Session): InboxRow {
  const [icon, label] =
    session.status === 'stalled'
      ? ['warning', 'Nothing heard from the agent for 5 min.']
      : ['report', session.reason === 'budget' ? 'The budget is spent.' : 'It waits for you.'];
  return {
    id: `session:${session.id}`,
    icon,
    label,
    description: plain(session.agentName),
    detail: plain(session.title),
    at: millis(session.statusSince),
    sessionId: session.id,
    approval: null,
  };
}
