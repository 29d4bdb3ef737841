import type { Response } from 'express';
import type { Actor } from '../identity/index.ts';
import type { EventLog, Sessions, Turns } from '../sessions/index.ts';

const pageSize = { turns: 200, events: 1000 };

/** Writes at the reader's pace. */
function writerOf(response: Response, signal: AbortSignal): (text: string) => Promise<void> {
  return async (text) => {
    if (response.write(text) || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const go = (): void => resolve(undefined);
    response.once('drain', go);
    signal.addEventListener('abort', go, { once: true });
    await promise;
    response.off('drain', go);
    signal.removeEventListener('abort', go);
  };
}

/** The conversation as Markdown, page by page. */
export async function exportMarkdown(
  response: Response,
  { sessions }: { sessions: Sessions },
  actor: Actor,
  sessionId: string,
  signal: AbortSignal,
): Promise<void> {
  const pieces = await sessions.exportMarkdown(actor, sessionId);
  const write = writerOf(response, signal);
  response.statusCode = 200;
  response.setHeader('Content-Type', 'text/markdown; charset=utf-8');
  for await (const piece of pieces) {
    if (signal.aborted) break;
    await write(piece);
  }
  response.end();
}

/** The whole conversation, page by page: memory holds one page, however long it is. */
export async function exportJson(
  response: Response,
  { sessions, turns, log }: { sessions: Sessions; turns: Turns; log: EventLog },
  actor: Actor,
  sessionId: string,
  signal: AbortSignal,
): Promise<void> {
  const session = await sessions.get(actor, sessionId);
  const write = writerOf(response, signal);
  response.statusCode = 200;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  await write(`{"session":${JSON.stringify(session)},"turns":[`);
  let separator = '';
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Turns['list']>> = await turns.list(actor, sessionId, {
      limit: pageSize.turns,
      ...(cursor === null ? {} : { cursor }),
    });
    if (page.items.length > 0)
      await write(separator + page.items.map((turn) => JSON.stringify(turn)).join(','));
    if (page.items.length > 0) separator = ',';
    cursor = page.nextCursor;
  } while (cursor !== null && !signal.aborted);
  await write('],"events":[');
  separator = '';
  let after = 0;
  while (!signal.aborted) {
    const page = await log.page(actor, sessionId, { after, limit: pageSize.events });
    const last = page.items.at(-1);
    if (last === undefined) break;
    await write(separator + page.items.map((event) => event.json).join(','));
    separator = ',';
    after = last.seq;
  }
  response.end(']}');
}
