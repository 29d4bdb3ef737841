import type { ContentBlock } from '@berth/contract';

const goOnText =
  'You were interrupted: your process ended in the middle of the turn. Look at what is already done, then go on with the task from there.';

/** `message`: what the agent was working on, when its history lacks it. */
export const goOn = (message: readonly ContentBlock[]): ContentBlock[] =>
  message.length === 0
    ? [{ type: 'text', text: goOnText }]
    : [
        {
          type: 'text',
          text: `${goOnText}\n\nYour history lacks the message that you were working on. It was:\n\n`,
        },
        ...message,
      ];
