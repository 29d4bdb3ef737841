import { isSettleAnswer, Problem } from '@berth/contract';
import type { Approval, DecideApproval } from '@berth/contract';
import { mustActIn, type Actor } from '../identity/index.ts';
import { advance } from './advance.ts';
import * as store from './approvals.store.ts';
import { atOwner } from './commands.ts';
import { say, type Core } from './core.ts';
import { approvalResolved } from './entries.ts';
import type { Approvals } from './services.ts';
import { settleTurn } from './settle-turn.ts';
import { checkedCursor, isUuid, pageOf } from './sql.ts';

export function createApprovals(core: Core): Approvals {
  const { pool } = core;

  async function row(actor: Actor, id: string): Promise<store.ApprovalRow> {
    const found = isUuid(id) ? await store.readApproval(pool, actor.teamId, id) : null;
    if (found === null) throw new Problem('not-found', 'No such approval.');
    return found;
  }

  function decidedBefore(approval: store.ApprovalRow): Problem {
    const { decidedBy: by, decidedAt: at, optionId } = store.approvalView(approval);
    const what =
      approval.state === 'decided'
        ? `${by?.name ?? 'Somebody'} was faster.`
        : 'The agent no longer waits for it.';
    return new Problem('already-decided', what, {
      decision: {
        ...(optionId === undefined ? {} : { optionId }),
        ...(by === undefined ? {} : { by }),
        ...(at === undefined ? {} : { at }),
      },
    });
  }

  async function decide(actor: Actor, id: string, input: DecideApproval): Promise<Approval> {
    const before = await row(actor, id);
    mustActIn(actor, before.session_by_id);
    return core.owner.guard(before.session_id, () => decideIt(actor, before, input));
  }
  async function decideIt(
    actor: Actor,
    before: store.ApprovalRow,
    input: DecideApproval,
  ): Promise<Approval> {
    const { id } = before;
    if (before.state !== 'waiting') throw decidedBefore(before);
    if (!before.options.some(({ optionId }) => optionId === input.optionId))
      throw new Problem('invalid-request', 'This approval has no such option.', {
        errors: [{ pointer: '/optionId', detail: 'not one of the options' }],
      });
    if (before.about === 'delivery') return settle(actor, before, input);
    const at = new Date(core.clock.now());
    const won = await store.decideApproval(pool, {
      teamId: actor.teamId,
      id,
      revision: input.revision,
      optionId: input.optionId,
      note: input.note ?? null,
      by: { id: actor.userId, name: actor.userName },
      at,
    });
    const after = await row(actor, id);
    if (!won) throw lost(after);
    // Elsewhere the answer is found without its event, and without having been handed over.
    await atOwner(core, after.session_id, async (owned) => {
      const entry = approvalResolved(after, core.clock.now());
      // Whoever took the session over in between has found the answer without its event.
      if (entry !== null && !owned.resolved.has(id)) say(owned, [entry]);
      owned.resolved.add(id);
      core.runner.decide(after.session_id, id, input.optionId, input.note);
      if (core.runner.connected(after.session_id)) await store.markDelivered(pool, [id], at);
      await advance(core, owned, true);
    });
    return store.approvalView(after);
  }

  /** Who was not the first learns who was. */
  const lost = (after: store.ApprovalRow): Problem =>
    after.state === 'waiting'
      ? new Problem('version-stale', 'The question has changed meanwhile: read it again.')
      : decidedBefore(after);

  /** Whether a message arrived is Berth's own question: its answer settles the turn. */
  async function settle(
    actor: Actor,
    before: store.ApprovalRow,
    { optionId, revision, note }: DecideApproval,
  ): Promise<Approval> {
    const { session_id: sessionId, turn_id: turnId } = before;
    const settled =
      turnId === null || !isSettleAnswer(optionId)
        ? null
        : await settleTurn(core, actor, { sessionId, turnId }, optionId, {
            revision,
            note: note ?? null,
          });
    const after = await row(actor, before.id);
    if (settled === null) throw lost(after);
    return store.approvalView(after);
  }

  return {
    decide,
    get: async (actor, id) => store.approvalView(await row(actor, id)),
    async list(actor, query) {
      const { limit, cursor, state, sessionId } = query;
      const from = checkedCursor(cursor);
      const rows = await store.listApprovals(pool, {
        teamId: actor.teamId,
        ...(state === undefined ? {} : { state }),
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(from === undefined ? {} : { cursor: from }),
        limit: limit + 1,
      });
      return pageOf(rows, limit, store.approvalView);
    },
  };
}
