import type { IncomingMessage, ServerResponse } from 'node:http';
import { Problem } from '@berth/contract';
import type { Logger } from 'pino';
import { limits } from './limits.ts';
import { internalPath } from './peers.ts';
import type { Replicas } from './replicas.ts';

export type InternalCalls = Readonly<
  Record<string, (body: unknown, signal: AbortSignal) => Promise<unknown>>
>;
/** False: not for us. */
export type InternalDoor = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Where the other processes of the control plane knock, on the port of everybody: who does not show this process's secret is told that there is nothing.
 * The callers have checked whose request it is; what they pass on is data, not rights.
 */
export function createDoor(options: {
  replicas: Pick<Replicas, 'holds'>;
  calls: InternalCalls;
  logger: Logger;
}): InternalDoor {
  const logger = options.logger.child({ part: 'replicas' });

  async function serve(
    call: InternalCalls[string],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    // At once: the caller tells one that is busy from one that is frozen by it.
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    let said: unknown;
    try {
      const value = await call(JSON.parse(await textOf(request)), gone.signal);
      said = { ok: true, ...(value === undefined ? {} : { value }) };
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Problem))
        logger.error({ err: error, path: request.url }, 'a call of another process failed');
      const problem =
        error instanceof Problem
          ? error
          : new Problem('internal-error', 'The other process could not do this.');
      said = {
        ok: false,
        problem: { code: problem.code, detail: problem.detail, ...problem.extra },
      };
    }
    response.end(JSON.stringify(said));
  }

  return (request, response) => {
    const path = request.url ?? '';
    if (!path.startsWith(internalPath)) return false;
    const shown = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const call = options.calls[path.slice(internalPath.length)];
    if (!options.replicas.holds(shown) || call === undefined || request.method !== 'POST') {
      response.writeHead(404, { connection: 'close' }).end();
      return true;
    }
    serve(call, request, response).catch((error: unknown) => {
      logger.error({ err: error }, 'the answer to another process failed');
      response.destroy();
    });
    return true;
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limits.bodyBytes) throw new Problem('body-too-large', 'The call is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
