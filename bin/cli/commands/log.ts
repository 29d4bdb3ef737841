import type { Event } from '@berth/contract';
import { numberOf } from '../args.ts';
import { createAwayWords } from '../away.ts';
import { exitCode, Refused, type Run } from '../context.ts';
import { createTranscript } from '../transcript.ts';

const pageSize = 1000;

export const log: Run = async (context) => {
  const session = await context.findSession(context.word(0));
  const api = await context.client();
  const text = createTranscript(context.style, { prompts: true, boot: true });
  const take = (event: Event): void => {
    if (context.json) context.print(JSON.stringify(event));
    else context.stdout.write(text(event));
  };
  let after = numberOf(context.values, 'after') ?? 0;
  if (context.values['follow'] !== true) {
    for (;;) {
      const page = await api.sessions.events(session.id, { after, limit: pageSize });
      page.items.forEach(take);
      if (page.to === null || page.to >= page.lastSeq) return exitCode.ok;
      after = page.to;
    }
  }
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const channels = await context.channels();
  const stop = channels.session(
    session.id,
    { after },
    { events: (events) => events.forEach(take), problem: reject },
  );
  const away = createAwayWords();
  const unlisten = channels.onState((state) => {
    const said = away(state);
    if (said !== null) context.tell(context.style.dim(said));
    if (state.kind === 'disconnected') reject(new Refused('the server ended the connection'));
  });
  const end = (): void => resolve(exitCode.ok);
  process.once('SIGINT', end);
  try {
    return await promise;
  } finally {
    process.removeListener('SIGINT', end);
    unlisten();
    stop();
  }
};
