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

export const isRole = (text: string): text is Role => Object.hasOwn(table, text);
