import { isDeliveryUnknown } from '@berth/client/status';
import type { Approval, Session } from '@berth/contract';

/** What waits for a person, whatever kind it is. */
export type InboxItem =
  | { readonly kind: 'approval'; readonly id: string; readonly at: string; approval: Approval }
  | { readonly kind: 'question'; readonly id: string; readonly at: string; session: Session };

/** The sessions of which nobody knows whether their last message arrived. */
export const questionsOf = (sessions: Iterable<Session>): Session[] =>
  [...sessions].filter(isDeliveryUnknown);

/** How many answers are wanted: the number on the badge. */
export const waitingCount = (approvals: Iterable<Approval>, sessions: Iterable<Session>): number =>
  [...approvals].filter(({ state }) => state === 'waiting').length + questionsOf(sessions).length;

/** Oldest first. Pure. */
export function inboxOf(approvals: Iterable<Approval>, questions: Iterable<Session>): InboxItem[] {
  const items: InboxItem[] = [
    ...[...approvals].map((approval) => ({
      kind: 'approval' as const,
      id: approval.id,
      at: approval.createdAt,
      approval,
    })),
    ...[...questions].map((session) => ({
      kind: 'question' as const,
      id: `question:${session.id}`,
      at: session.statusSince,
      session,
    })),
  ];
  return items.sort((a, b) => a.at.localeCompare(b.at) || a.id.localeCompare(b.id));
}
