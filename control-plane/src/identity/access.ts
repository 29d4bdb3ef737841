import { Problem } from '@berth/contract';
import type { Action } from '@berth/contract/routes';
import type { Actor } from './actor.ts';

type Role = Actor['role'];

/** Who may do what in their team. Reading is everybody's; nothing but reading is a viewer's. */
const table: Readonly<Record<Role, readonly Action[]>> = {
  viewer: ['read'],
  member: ['read', 'sessions', 'terminals', 'approvals', 'workspace', 'tokens'],
  admin: ['read', 'sessions', 'terminals', 'approvals', 'workspace', 'tokens', 'agents'],
  owner: ['read', 'sessions', 'terminals', 'approvals', 'workspace', 'tokens', 'agents'],
};

export const can = (role: Role, action: Action): boolean => table[role].includes(action);

/** A token may be narrower than its user, never wider. Any scope includes reading. */
export const inScope = (scopes: readonly string[], action: Action): boolean =>
  scopes.includes('*') || scopes.includes(action) || (action === 'read' && scopes.length > 0);

export const allowed = (actor: Pick<Actor, 'role' | 'scopes'>, action: Action): boolean =>
  can(actor.role, action) && inScope(actor.scopes, action);

/** Members act in the sessions that they made, admins in all of the team's. What everybody of the team may read, is never in question. */
export const actsIn = (actor: Pick<Actor, 'role' | 'userId'>, madeBy: string): boolean =>
  actor.role === 'admin' ||
  actor.role === 'owner' ||
  (actor.role === 'member' && actor.userId === madeBy);

/** Throws `forbidden`: the session can be read, so it is no secret that it is there. */
export function mustActIn(actor: Pick<Actor, 'role' | 'userId'>, madeBy: string): void {
  if (!actsIn(actor, madeBy))
    throw new Problem(
      'forbidden',
      'Somebody else made this session: only they, and admins of the team, may do this.',
    );
}

export const isRole = (text: string): text is Role => Object.hasOwn(table, text);
