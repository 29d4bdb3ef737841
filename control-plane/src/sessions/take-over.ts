import { resolutionsWithoutEvent } from './approvals.store.ts';
import { takeCommands } from './commands.ts';
import type { Core } from './core.ts';
import { deliveryId } from './delivery.ts';
import { endIsMissing } from './ends.ts';
import { approvalResolved, entryOf, turnEnded, turnQueued } from './entries.ts';
import { countUsage, loggedStatus, queuedWithoutEvent, readState } from './facts.store.ts';
import type { Entry } from './log/entry.ts';
import { queue, type TakeOver } from './owner.ts';
import { endedTurns, readTurn, resentTurns } from './turns.store.ts';

/**
 * The process before this one may have died between a row and its event, or the database may have gone away there. Rows come first everywhere, so what is missing is always an event: it is
 * found by looking, and said now. Meets the session's events once, when it changes hands or a job failed.
 */
export async function mend(core: Core, taken: TakeOver): Promise<void> {
  const { owned, journalLost, gap = false, isNew } = taken;
  if (isNew) return;
  const { sessionId } = owned;
  // First what others left: what is said there is not missing any more.
  await takeCommands(core, owned);
  for (const turn of await resentTurns(core.pool, sessionId))
    owned.deliveries.set(deliveryId(turn), turn.id);
  const at = core.clock.now();
  const missing: Entry[] = [];
  for (const id of await queuedWithoutEvent(core.pool, sessionId)) {
    const turn = await readTurn(core.pool, sessionId, id);
    if (turn === null) continue;
    missing.push(turnQueued(turn, at));
    owned.queued.add(id);
  }
  for (const approval of await resolutionsWithoutEvent(core.pool, sessionId)) {
    const entry = approvalResolved(approval, at);
    if (entry === null) continue;
    missing.push(entry);
    owned.resolved.add(approval.id);
  }
  for (const ended of await endedTurns(core.pool, sessionId)) {
    const turn = endIsMissing(ended) ? await readTurn(core.pool, sessionId, ended.id) : null;
    if (turn === null) continue;
    missing.push(turnEnded(turn, at));
    if (!journalLost || turn.state !== 'unknown') continue;
    const text = 'The runner lost its journal while this message was under way.';
    missing.push(entryOf('notice', { code: 'journal-lost', text }, at, turn.id));
  }
  const state = await readState(core.pool, sessionId);
  if (state !== null && (await loggedStatus(core.pool, sessionId)) !== state.status) {
    const { status, reason } = state;
    missing.push(entryOf('session.status', { status, ...(reason === null ? {} : { reason }) }, at));
  }
  await countUsage(core.pool, sessionId);
  // A journal that is gone says no more: what it left open is as long as it will ever be.
  const cut = journalLost || gap ? owned.log.closeAll(at) : [];
  // Committed before anything else is decided: what is said here must not be found missing again.
  if (cut.length + missing.length === 0) return;
  const lost = await queue(owned.log, [...cut, ...missing]);
  if (lost !== null) throw lost;
}
