import { Problem } from '@berth/contract';
import type { PatchSession, Session } from '@berth/contract';
import { allowed, mustActIn, type Actor } from '../identity/index.ts';
import { advance } from './advance.ts';
import type { EgressGrants } from './egress-grants.ts';
import { atOwner } from './commands.ts';
import { createSession } from './create-session.ts';
import { changed, type Core } from './core.ts';
import { deliveryId } from './delivery.ts';
import { exportMarkdown } from './markdown.ts';
import { own, readable } from './reach.ts';
import type { EventReader } from './log/replay.ts';
import type { Sessions } from './services.ts';
import * as store from './sessions.store.ts';
import { checkedCursor, noSession, pageOf } from './sql.ts';
import { requestCancel } from './turns.store.ts';

export function createSessionsService(
  core: Core,
  reader: EventReader,
  grants: Pick<EgressGrants, 'refresh'>,
): Sessions {
  const { pool } = core;

  const view = async (actor: Actor, id: string): Promise<Session> =>
    store.sessionView(await readable(core, actor, id));

  /** Intent first, in the row; then whoever makes it true looks. */
  async function intend(
    actor: Actor,
    id: string,
    intent: Parameters<typeof store.setIntent>[2],
  ): Promise<Session> {
    await own(core, actor, id);
    return core.owner.guard(id, async () => {
      if (!(await store.setIntent(pool, { id, teamId: actor.teamId }, intent))) throw noSession();
      core.sandboxes.hint(id);
      await atOwner(core, id, (owned) => advance(core, owned));
      return view(actor, id);
    });
  }

  async function patch(
    actor: Actor,
    id: string,
    version: number,
    change: PatchSession,
  ): Promise<Session> {
    const before = await readable(core, actor, id);
    const { readSeq, title, mode, model, budget } = change;
    // What somebody has read is their own; everything else is the session's.
    if ([title, mode, model, budget].some((value) => value !== undefined)) {
      if (!allowed(actor, 'sessions'))
        throw new Problem('forbidden', 'This sign-in may not do this (sessions).');
      mustActIn(actor, before.created_by_id);
      const stale = new Problem('version-stale', 'Read it again, then change it.');
      if (before.version !== version) throw stale;
      // The agent is asked first: what it refuses is not written. One that is not there takes the value when it is bound.
      const reachable = core.runner.connected(id) || (await core.seats.elsewhere(id));
      if (before.phase === 'ready' && reachable) {
        if (mode !== undefined && mode !== before.mode)
          await core.runner.call(id, 'mode.set', { mode });
        if (model !== undefined && model !== before.model)
          await core.runner.call(id, 'model.set', { model });
      }
      const written = await store.patchSession(
        pool,
        { id, teamId: actor.teamId, version },
        { title, mode, model, budgetLimitUsd: budget?.limitUsd },
      );
      if (!written) throw stale;
      await grants.refresh(id);
    }
    if (readSeq !== undefined) await store.markRead(pool, actor, id, readSeq);
    core.changes.tell({ teamId: actor.teamId, sessionId: id, approvals: title !== undefined });
    return view(actor, id);
  }

  return {
    create: (actor, input, id) => createSession(core, actor, input, id),
    async list(actor, query) {
      const { limit, cursor, ...filter } = query;
      const rows = await store.listSessions(pool, actor, {
        ...filter,
        cursor: checkedCursor(cursor),
        limit: limit + 1,
      });
      return pageOf(rows, limit, store.sessionView);
    },
    get: view,
    own: async (actor, id) => store.sessionView(await own(core, actor, id)),
    patch,
    async remove(actor, id) {
      const last = store.sessionView(await own(core, actor, id));
      if (
        !(await store.markDeleted(pool, { id, teamId: actor.teamId }, new Date(core.clock.now())))
      )
        throw noSession();
      core.sandboxes.hint(id);
      core.changes.tell({ teamId: actor.teamId, sessionId: id, approvals: true });
      return last;
    },
    suspend: (actor, id) => intend(actor, id, { desired: 'suspended' }),
    async resume(actor, id) {
      if ((await own(core, actor, id)).archived_at !== null)
        throw new Problem('session-archived', 'Take it out of the archive first.');
      return intend(actor, id, { desired: 'running', replaceFailed: true });
    },
    archive: async (actor, id) => {
      const { archived_at } = await own(core, actor, id);
      const archivedAt = archived_at ?? new Date(core.clock.now());
      return intend(actor, id, { desired: 'suspended', archivedAt });
    },
    unarchive: (actor, id) => intend(actor, id, { archivedAt: null }),
    async cancel(actor, id) {
      await own(core, actor, id);
      const request = () => requestCancel(pool, id, new Date(core.clock.now()));
      await atOwner(
        core,
        id,
        async (owned) => {
          for (const turn of await request()) core.runner.cancel(id, deliveryId(turn));
          changed(core, owned);
        },
        {
          otherwise: async () => {
            await request();
            return [];
          },
        },
      );
      return view(actor, id);
    },
    async restartAgent(actor, id) {
      await own(core, actor, id);
      await core.runner.call(id, 'agent.restart', {});
      return view(actor, id);
    },
    async takeBack(actor, id) {
      await own(core, actor, id);
      // The runner says when the chat holds the conversation again.
      await core.runner.call(id, 'agent.take-back', {});
      return view(actor, id);
    },
    async archiveArrived(actor, id) {
      await own(core, actor, id);
      await store.setAwaitArchive(pool, { id, teamId: actor.teamId }, false);
      core.sandboxes.hint(id);
    },
    exportMarkdown: async (actor, id) => exportMarkdown(await view(actor, id), reader),
    onChange: (listener) => core.changes.listen(listener),
  };
}
