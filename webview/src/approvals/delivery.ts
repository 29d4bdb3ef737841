/** What a person may say of a message of which nobody knows whether it arrived. */
export const answers = [
  ['resend', 'Send again'],
  ['arrived', 'It arrived'],
  ['drop', 'Drop the message'],
] as const;
export type Answer = (typeof answers)[number][0];

/** The answers that take nothing back once they are given, said in one sentence. */
export const deliveryWords = 'If it did arrive, sending it again runs the work twice.';
export const whyUnknown = (turn: { error?: { detail: string } | undefined } | null): string =>
  turn?.error?.detail ??
  'The agent ended while the message was on its way, and its own record does not show it.';
