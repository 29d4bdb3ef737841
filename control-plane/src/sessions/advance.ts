import { Problem } from '@berth/contract';
import { takeCommands } from './commands.ts';
import { changed, say, type Core } from './core.ts';
import { deliveryId } from './delivery.ts';
import { askAboutDelivery } from './delivery-question.store.ts';
import { entryOf, turnQueued } from './entries.ts';
import { readState, writeFields, writeStatus, type SessionState } from './facts.store.ts';
import { sessionStatus } from './lifecycle.ts';
import { Elsewhere, queue, type Owned } from './owner.ts';
import { throughOutages } from './sql.ts';
import {
  consumeNext,
  turnHasEvent,
  turnsInFlight,
  turnsInQuestion,
  type TurnRow,
} from './turns.store.ts';
import { decisionsToDeliver, markDelivered } from './approvals.store.ts';

/** Also while its agent starts: the runner keeps the turn and gives it to the agent the moment that it is up. */
const canTake = (core: Core, state: SessionState): boolean =>
  (state.phase === 'ready' || state.phase === 'agent-starting') &&
  state.desired === 'running' &&
  state.holder === 'chat' &&
  !state.deleted &&
  core.runner.connected(state.id);

/**
 * The one place that looks at a session's rows and does what is due: sends the next turn, states the status. Called inside the session's chain after
 * anything that may matter; calling it once too often does nothing.
 */
export async function advance(core: Core, owned: Owned, approvals = false): Promise<void> {
  let state = await readState(core.pool, owned.sessionId);
  if (state === null || state.deleted) return;
  const free = state.turn === null && state.queued > 0 && canTake(core, state);
  if (free || (owned.handing && state.turn === 'sent')) {
    const turn = await handNext(core, owned, free);
    if (turn === null) await core.owner.mustOwn(owned);
    else if (free) state = { ...state, turn: 'sent', queued: state.queued - 1 };
  }
  const asked = state.turn === 'unknown' && (await askAbout(core, owned));
  await stateStatus(core, owned, state);
  changed(core, owned, approvals || asked);
}

/**
 * Of a message that became `sent` the runner must hear. When the database goes away in between, even with its answer to that very step, the next look begins
 * here again; the runner knows a message that it has. Null: there is none, or another process writes the session by now.
 */
async function handNext(core: Core, owned: Owned, free: boolean): Promise<TurnRow | null> {
  const { pool, clock } = core;
  const { sessionId, log } = owned;
  owned.handing = true;
  const turn = free
    ? await consumeNext(pool, sessionId, log.epoch, new Date(clock.now()))
    : (await turnsInFlight(pool, sessionId))[0];
  if (turn) {
    await sayMissingQueued(core, owned, turn);
    await writeFields(pool, sessionId, { currentTurnId: turn.id });
    owned.heardAt = clock.now();
    core.runner.turn(sessionId, deliveryId(turn), turn.prompt);
  }
  owned.handing = false;
  return turn ?? null;
}

/** Another process stored it and died before it had left that to be said: its writer, who lives on, is the first who sees it. */
async function sayMissingQueued(core: Core, owned: Owned, turn: TurnRow): Promise<void> {
  const told = () => turnHasEvent(core.pool, owned.sessionId, turn.id, 'turn.queued');
  if (await told()) return;
  // It may be on its way into the log, or left by another process together with what came after it.
  if ((await queue(owned.log, [])) !== null) return;
  await takeCommands(core, owned);
  if (await told()) return;
  owned.queued.add(turn.id);
  say(owned, [turnQueued(turn, core.clock.now())]);
}

/** A message in question is a question of the inbox. True: it was not there yet. */
async function askAbout(core: Core, owned: Owned): Promise<boolean> {
  let asked = false;
  for (const turn of await turnsInQuestion(core.pool, owned.sessionId))
    if (await askAboutDelivery(core.pool, turn, new Date(core.clock.now()))) asked = true;
  return asked;
}

async function stateStatus(core: Core, owned: Owned, state: SessionState): Promise<void> {
  const now = core.clock.now();
  owned.missedAt = core.runner.connected(owned.sessionId) ? null : (owned.missedAt ?? now);
  const { status, reason } = sessionStatus({
    status: state.status,
    desired: state.desired,
    phase: state.phase,
    phaseDetail: state.phase_detail,
    turn: state.turn,
    queued: state.queued,
    holder: state.holder,
    waitingApprovals: state.waiting_approvals,
    silentMs: now - owned.heardAt,
    unreachableMs: owned.missedAt === null ? 0 : now - owned.missedAt,
  });
  owned.status = status;
  if (!(await writeStatus(core.pool, owned.sessionId, { status, reason }, new Date(now)))) return;
  say(owned, [entryOf('session.status', { status, ...(reason === null ? {} : { reason }) }, now)]);
}

/** A session in doubt: the look for what is missing comes before the job, and whatever follows from it is done here. */
export async function lookAgain(core: Core, sessionId: string): Promise<void> {
  const again = async (owned: Owned): Promise<void> => {
    await resend(core, owned);
    await advance(core, owned, true);
  };
  core.owner.doubt(sessionId);
  try {
    await throughOutages(() => core.owner.run(sessionId, again, { mending: true }), core.signal);
  } catch (error) {
    if (error instanceof Problem && error.code === 'not-found') return; // deleted meanwhile
    if (error instanceof Elsewhere) return; // its owner looks
    throw error;
  }
  core.sandboxes.hint(sessionId);
}

/** After a reconnect or a bind: everything that the runner may have missed. It answers from its journal what it has. */
export async function resend(core: Core, owned: Owned): Promise<void> {
  for (const turn of await turnsInFlight(core.pool, owned.sessionId)) {
    core.runner.turn(owned.sessionId, deliveryId(turn), turn.prompt);
    if (turn.cancel_requested_at !== null) core.runner.cancel(owned.sessionId, deliveryId(turn));
  }
  const decisions = await decisionsToDeliver(core.pool, owned.sessionId);
  for (const { id, option_id, note } of decisions)
    core.runner.decide(owned.sessionId, id, option_id, note ?? undefined);
  if (decisions.length > 0 && core.runner.connected(owned.sessionId))
    await markDelivered(
      core.pool,
      decisions.map(({ id }) => id),
      new Date(core.clock.now()),
    );
}
