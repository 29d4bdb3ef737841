import type { Approval, Session } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { Logger } from 'pino';
import type { Actor } from '../identity/index.ts';
import type { Approvals, Sessions } from '../sessions/index.ts';
import { limits } from './limits.ts';

/** Somebody who looks at lists. While `loading`, its snapshot is being read and changes are only noted. */
export interface Watcher {
  readonly actor: Actor;
  readonly channel: 'sessions' | 'approvals';
  sessions?(upsert: readonly Session[], remove: readonly string[]): void;
  approvals?(sessionId: string, waiting: readonly Approval[]): void;
}
interface Entry {
  watcher: Watcher;
  loading: boolean;
  missed: Set<string>;
}
type Dirty = Map<string, Map<string, boolean>>; // team → session → also its approvals

export type Hub = ReturnType<typeof createHub>;

async function allPages<T>(
  page: (cursor: string | null) => Promise<{ items: T[]; nextCursor: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const next: { items: T[]; nextCursor: string | null } = await page(cursor);
    items.push(...next.items);
    cursor = next.nextCursor;
  } while (cursor !== null);
  return items;
}
const after = (cursor: string | null) => (cursor === null ? {} : { cursor });

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const workers = Array.from({ length: limits.readsAtOnce }, async () => {
    for (const item of rest) await run(item);
  });
  await Promise.all(workers);
}

/**
 * Keeps lists of sessions and approvals up to date. A change only marks its session; one loop, at most every `coalesceMs`, reads each marked
 * session once per person (what is unread differs) and tells everybody who looks.
 */
export function createHub({
  sessions,
  approvals,
  logger,
}: {
  sessions: Pick<Sessions, 'get' | 'list' | 'onChange'>;
  approvals: Pick<Approvals, 'list'>;
  logger: Logger;
}) {
  const entries = new Set<Entry>();
  let dirty: Dirty = new Map();
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | null = null;

  function mark(teamId: string, sessionId: string, alsoApprovals: boolean): void {
    const team = dirty.get(teamId) ?? new Map<string, boolean>();
    team.set(sessionId, alsoApprovals || (team.get(sessionId) ?? false));
    dirty.set(teamId, team);
  }
  function schedule(delayMs: number): void {
    if (timer !== undefined || flushing !== null || dirty.size === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      const taken = dirty;
      dirty = new Map();
      flushing = flush(taken)
        .then(
          () => 0,
          (error: unknown) => {
            logger.warn({ err: error }, 'lists could not be read again; trying on');
            for (const [teamId, team] of taken)
              for (const [sessionId, also] of team) mark(teamId, sessionId, also);
            return limits.coalesceMs * 10;
          },
        )
        .then((waitMs) => {
          flushing = null;
          schedule(Math.max(waitMs, limits.coalesceMs));
        });
    }, delayMs);
    timer.unref();
  }

  async function tellSessions(targets: readonly Watcher[], ids: readonly string[]) {
    const [first] = targets;
    if (first === undefined) return;
    const upsert: Session[] = [];
    const remove: string[] = [];
    await inParallel(ids, async (id) => {
      try {
        upsert.push(await sessions.get(first.actor, id));
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'not-found') throw error;
        remove.push(id);
      }
    });
    for (const target of targets) target.sessions?.(upsert, remove);
  }
  const waitingOf = (actor: Actor, sessionId?: string) =>
    allPages((cursor) =>
      approvals.list(actor, {
        state: 'waiting',
        limit: 200,
        ...(sessionId === undefined ? {} : { sessionId }),
        ...after(cursor),
      }),
    );
  async function tellApprovals(targets: readonly Watcher[], ids: readonly string[]) {
    const [first] = targets;
    if (first === undefined) return;
    await inParallel(ids, async (id) => {
      let waiting: Approval[] = [];
      try {
        waiting = await waitingOf(first.actor, id);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'not-found') throw error;
      }
      for (const target of targets) target.approvals?.(id, waiting);
    });
  }

  async function flush(taken: Dirty): Promise<void> {
    for (const [teamId, team] of taken) {
      // Who is here now is told now; whoever is still loading looks again afterwards; whoever comes later reads what is already written.
      const people = new Map<string, Watcher[]>();
      const inbox: Watcher[] = [];
      for (const entry of entries) {
        if (entry.watcher.actor.teamId !== teamId) continue;
        if (entry.loading) for (const id of team.keys()) entry.missed.add(id);
        else if (entry.watcher.channel === 'approvals') inbox.push(entry.watcher);
        else {
          const { userId } = entry.watcher.actor;
          people.set(userId, [...(people.get(userId) ?? []), entry.watcher]);
        }
      }
      for (const watchers of people.values()) await tellSessions(watchers, [...team.keys()]);
      const asked = [...team].filter(([, also]) => also).map(([sessionId]) => sessionId);
      await tellApprovals(inbox, asked);
    }
  }

  const stop = sessions.onChange((change) => {
    let watched = false;
    for (const { watcher } of entries) if (watcher.actor.teamId === change.teamId) watched = true;
    if (!watched) return;
    mark(change.teamId, change.sessionId, change.approvals);
    schedule(limits.coalesceMs);
  });

  return {
    /** Reads the snapshot, hands it over, and from then on tells what changed. Returns the way to stop. */
    async watch<T extends Session | Approval>(
      watcher: Watcher,
      snapshot: (items: T[]) => void,
      read: (actor: Actor) => Promise<T[]>,
    ): Promise<() => void> {
      const entry: Entry = { watcher, loading: true, missed: new Set() };
      entries.add(entry);
      try {
        snapshot(await read(watcher.actor));
      } catch (error) {
        entries.delete(entry);
        throw error;
      }
      entry.loading = false;
      for (const sessionId of entry.missed) mark(watcher.actor.teamId, sessionId, true);
      schedule(limits.coalesceMs);
      return () => entries.delete(entry);
    },
    sessions: (actor: Actor) =>
      allPages((cursor) => sessions.list(actor, { archived: false, limit: 200, ...after(cursor) })),
    approvals: (actor: Actor) => waitingOf(actor),
    async close(): Promise<void> {
      stop();
      clearTimeout(timer);
      dirty = new Map();
      await flushing;
    },
  };
}
