/** Reads a session's words in a process of its own, and says how much later than every `everyMs` each came. Forked by `terminal.ts`. */
import { createClient, openChannels } from '../../client/index.ts';
import { connectNode } from '../../client/node.ts';

export interface WordReaderStart {
  url: string;
  token: string;
  sessionId: string;
  everyMs: number;
}
let late: number[] = [];
let last: number | null = null;
process.on('disconnect', () => process.exit(0));
process.on('message', (message: WordReaderStart | 'begin' | 'end') => {
  if (message === 'begin') {
    late = [];
    last = null;
  } else if (message === 'end') process.send?.({ late });
  else read(message);
});

function read({ url, token, sessionId, everyMs }: WordReaderStart): void {
  const client = createClient({ url, token: () => token });
  openChannels({ client, connect: connectNode }).session(
    sessionId,
    { after: 0 },
    {
      events(events) {
        const now = performance.now();
        for (const { kind } of events) {
          if (kind !== 'message.delta') continue;
          if (last === null) process.send?.('first');
          else late.push(Math.max(0, now - last - everyMs));
          last = now;
        }
      },
    },
  );
  process.send?.('ready');
}
