import { isSettleAnswer, settleChoices, type SettleTurn } from '@berth/contract';
import { UsageError } from '../args.ts';
import { exitCode, Refused, type Run } from '../context.ts';
import { oneLine, shortId } from '../format.ts';

export const meanings = {
  resend: 'sent again',
  arrived: 'it was done',
  drop: 'dropped',
} as const satisfies Record<SettleTurn['answer'], string>;

/** A message whose delivery nobody can know: a person says what became of it. */
export const settle: Run = async (context) => {
  const answer = context.word(1);
  if (!isSettleAnswer(answer))
    throw new UsageError(
      `"${answer}" is no answer: say ${settleChoices.map((choice) => choice.answer).join(', ')}`,
    );
  const session = await context.findSession(context.word(0));
  const api = await context.client();
  const { items } = await api.turns.list(session.id, { state: 'unknown', limit: 1 });
  const turn = items[0];
  if (turn === undefined) throw new Refused('no message of this session is in question');
  const settled = await api.turns.settle(session.id, turn.id, { answer });
  context.give(settled, () => `${oneLine(session.title)}: ${meanings[answer]}`);
  return exitCode.ok;
};

/** Pure. */
export const howToSettle = (sessionId: string): string =>
  [
    'Something died, and nobody can know whether the message arrived:',
    ...Object.entries(meanings).map(
      ([word, meaning]) => `  berth settle ${shortId(sessionId)} ${word.padEnd(8)}  ${meaning}`,
    ),
  ].join('\n');
