import type { SettleTurn } from '@berth/contract';
import type { Actor } from '../identity/index.ts';
import { advance } from './advance.ts';
import { supersedeOfTurn } from './approvals.store.ts';
import { atOwner } from './commands.ts';
import { say, type Core } from './core.ts';
import { deliveryId } from './delivery.ts';
import { answerDelivery, askAboutDelivery } from './delivery-question.store.ts';
import { approvalSuperseded, entryOf, turnEnded } from './entries.ts';
import { writeFields } from './facts.store.ts';
import type { Owned } from './owner.ts';
import { inTransaction } from './sql.ts';
import { nextTurnState } from './turn.ts';
import { moveTurn, readTurn, type TurnRow } from './turns.store.ts';

/**
 * A person says what became of a message whose delivery nobody can know, through the turn or through its question in the inbox. The turn, its question and what it
 * asked change together; the first answer wins. Null: it is not in question (any more).
 */
export async function settleTurn(
  core: Core,
  actor: Actor,
  { sessionId, turnId }: { sessionId: string; turnId: string },
  answer: SettleTurn['answer'],
  question: { revision: number | null; note: string | null },
): Promise<TurnRow | null> {
  const event = { kind: 'settled', answer } as const;
  const ms = core.clock.now();
  const at = new Date(ms);
  const text = `${actor.userName} had the message sent again.`;
  const resent = entryOf('notice', { code: 'turn-resent', text }, ms, turnId);
  const settled: { row: TurnRow | null } = { row: null };
  const settle = async () => {
    const done = await inTransaction(core.pool, async (sql) => {
      const before = await readTurn(sql, sessionId, turnId);
      if (before?.state !== 'unknown') return null;
      await askAboutDelivery(sql, before, at);
      const by = { id: actor.userId, name: actor.userName };
      const first = await answerDelivery(sql, before, { ...question, optionId: answer, by, at });
      if (!first) return null;
      const to = nextTurnState('unknown', event);
      const row = await moveTurn(sql, sessionId, turnId, event, to, at);
      if (row === null) throw new Error('a turn in question is settled by its question alone');
      await writeFields(sql, sessionId, { currentTurnId: answer === 'resend' ? turnId : null });
      // Nobody waits for an answer to what it asked.
      const moot = answer === 'resend' ? [] : await supersedeOfTurn(sql, sessionId, turnId, at);
      return { row, moot };
    });
    settled.row = done?.row ?? null;
    return done;
  };
  const here = async (owned: Owned): Promise<void> => {
    const done = await settle();
    if (done === null) return;
    const { row, moot } = done;
    if (answer === 'resend') {
      say(owned, [resent]);
      const delivery = deliveryId(row);
      owned.deliveries.set(delivery, turnId);
      core.runner.turn(sessionId, delivery, row.prompt);
    } else {
      for (const id of moot) owned.resolved.add(id);
      say(owned, [
        ...moot.map((approvalId) => approvalSuperseded(approvalId, turnId, ms)),
        turnEnded(row, ms),
      ]);
    }
    await advance(core, owned, true);
  };
  await atOwner(core, sessionId, here, {
    // Ends are found missing there, and what is sent again is handed over.
    otherwise: async () => ((await settle()) !== null && answer === 'resend' ? [resent] : []),
  });
  return settled.row;
}
