export const deliveryTitle = 'Did this message reach the agent?';
/** What is not known, and what a wrong answer costs. */
export const deliveryWords = 'If it did arrive, sending it again runs the work twice.';
export const whyUnknown = (turn: { error?: { detail: string } | undefined }): string =>
  turn.error?.detail ??
  'The agent ended while the message was on its way, and its own record does not show it.';
