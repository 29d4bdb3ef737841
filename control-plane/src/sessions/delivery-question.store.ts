import { plainText, settleChoices, type ContentBlock, type SettleTurn } from '@berth/contract';
import { uuidOf } from './delivery.ts';
import type { Sql } from './sql.ts';
import type { TurnRow } from './turns.store.ts';

/** One question for each time that a turn came into question; the same one, however often it is asked. */
export const questionId = (turn: Pick<TurnRow, 'id' | 'resends'>): string =>
  uuidOf(`${turn.id} unknown ${String(turn.resends)}`);

const options = settleChoices.map(({ answer, words }) => ({
  optionId: answer,
  name: words,
  kind: answer === 'drop' ? 'reject_once' : 'allow_once',
}));

const wordsMax = 300;
const wordsOf = (prompt: readonly ContentBlock[]): string =>
  plainText(prompt).trim().slice(0, wordsMax).toWellFormed() || '(no text)';

/** In the inbox as long as the turn is in question. True: it was not there yet. */
export async function askAboutDelivery(sql: Sql, turn: TurnRow, at: Date): Promise<boolean> {
  const { rowCount } = await sql.query(
    `insert into approval (id, team_id, session_id, turn_id, about, title, facts, options, created_at)
     values ($1, $2, $3, $4, 'delivery', $5, $6, $7, $8) on conflict (id) do nothing`,
    [
      questionId(turn),
      turn.team_id,
      turn.session_id,
      turn.id,
      'It is not known whether this message arrived',
      JSON.stringify([{ label: 'message', value: wordsOf(turn.prompt) }]),
      JSON.stringify(options),
      at,
    ],
  );
  return rowCount === 1;
}

/**
 * First answer wins. In the transaction that settles the turn, before it, so that whoever comes through the inbox and whoever comes through the turn wait for each
 * other here. False: it was answered before, or has changed. Without a revision: whatever it is now.
 */
export async function answerDelivery(
  sql: Sql,
  turn: Pick<TurnRow, 'id' | 'resends'>,
  answer: {
    optionId: SettleTurn['answer'];
    revision: number | null;
    note: string | null;
    by: { id: string; name: string };
    at: Date;
  },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update approval set state = 'decided', revision = revision + 1, option_id = $2, note = $3, decided_by_id = $4, decided_by_name = $5, decided_at = $6
      where id = $1 and state = 'waiting' and ($7::int is null or revision = $7)`,
    [
      questionId(turn),
      answer.optionId,
      answer.note,
      answer.by.id,
      answer.by.name,
      answer.at,
      answer.revision,
    ],
  );
  return rowCount === 1;
}
