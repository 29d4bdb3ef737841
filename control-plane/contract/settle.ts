import * as z from 'zod/mini';

export const settleTurn = z.strictObject({ answer: z.enum(['resend', 'arrived', 'drop']) });
export type SettleTurn = z.infer<typeof settleTurn>;

/** What a person may say of a message of which nobody knows whether it arrived, in the order and the words of every face. */
export const settleChoices = [
  { answer: 'resend', words: 'Send again' },
  { answer: 'arrived', words: 'It was done' },
  { answer: 'drop', words: 'Drop it' },
] as const satisfies readonly { answer: SettleTurn['answer']; words: string }[];

export const isSettleAnswer = (word: string): word is SettleTurn['answer'] =>
  settleChoices.some(({ answer }) => answer === word);
