import type { Agent, Approval, Harness, Me, Meta, Session } from '@berth/contract';

/**
 * What the extension knows of its server.
 *   looking       it is being found out
 *   absent        no server is known, or none answers at the one that is
 *   signed-out    it answers, and does not know us
 *   incompatible  it speaks another version of the protocol
 *   online        connected; what follows is up to date
 *   offline       it was connected, and will be again: what follows is as it was at `heardAt`
 */
export type ServerState =
  | { readonly kind: 'looking' }
  | { readonly kind: 'absent'; readonly url: string | null }
  | { readonly kind: 'signed-out'; readonly url: string }
  | { readonly kind: 'incompatible'; readonly url: string; readonly detail: string }
  | { readonly kind: 'online'; readonly url: string }
  | { readonly kind: 'offline'; readonly url: string; readonly nextTryMs: number | null };

export interface HubState {
  readonly server: ServerState;
  readonly me: Me | null;
  readonly meta: Meta | null;
  readonly harnesses: readonly Harness[];
  readonly agents: readonly Agent[];
  readonly sessions: ReadonlyMap<string, Session>;
  readonly approvals: ReadonlyMap<string, Approval>;
  /** The first snapshot of the sessions has come. */
  readonly loaded: boolean;
  readonly heardAt: number;
}

export const nothingKnown: HubState = {
  server: { kind: 'looking' },
  me: null,
  meta: null,
  harnesses: [],
  agents: [],
  sessions: new Map(),
  approvals: new Map(),
  loaded: false,
  heardAt: 0,
};

export interface Observable<T> {
  readonly get: () => T;
  /** Called after each change with what was before; returns the way to stop. */
  readonly onChange: (listener: (now: T, before: T) => void) => () => void;
}
export interface Store<T> extends Observable<T> {
  update(part: Partial<T>): void;
}

export function createStore<T extends object>(first: T): Store<T> {
  let value = first;
  const listeners = new Set<(now: T, before: T) => void>();
  return {
    get: () => value,
    update(part) {
      const before = value;
      value = { ...value, ...part };
      for (const listener of [...listeners]) listener(value, before);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A viewer reads along; everybody else may write. */
export const canWrite = (me: Me | null): boolean =>
  me === null || me.roles.length === 0 || me.roles.some((role) => !role.includes('viewer'));
