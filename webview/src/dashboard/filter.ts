import type { Session } from '@berth/contract';
import { statusLook, type StatusLook } from '../store/status.ts';
import type { SessionFilter } from './address.ts';

export function fits(session: Session, filter: SessionFilter, me: string, now: number): boolean {
  if (filter.group !== 'all' && statusLook(session, now).group !== filter.group) return false;
  if (filter.agentId !== null && session.agentId !== filter.agentId) return false;
  if (filter.mine && session.createdBy.id !== me) return false;
  return session.title.toLowerCase().includes(filter.search.trim().toLowerCase());
}

const order = ['needs-you', 'running', 'failed', 'idle'] as const;
/** What needs a person first, then by what is going on; within, the latest first. */
export function groupSessions(
  sessions: readonly Session[],
  now: number,
): { group: StatusLook['group']; items: Session[] }[] {
  return order
    .map((group) => ({
      group,
      items: sessions
        .filter((session) => statusLook(session, now).group === group)
        .sort((a, b) => b.lastActivityAt.localeCompare(a.lastActivityAt)),
    }))
    .filter(({ items }) => items.length > 0);
}
