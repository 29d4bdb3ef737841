import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { chat } from './model/chat.ts';
import { gemini } from './model/gemini.ts';
import { messages } from './model/messages.ts';
import { decide, isObject, type Json } from './model/mind.ts';
import type { Protocol, Send } from './model/protocol.ts';
import { responses } from './model/responses.ts';

/**
 * A model without a mind, for tests, by every protocol that an agent of ours speaks; what a prompt makes it do stands in `model/mind.ts`. A model named
 * `fault-<status>` answers that status.
 */
export interface ModelRequest {
  path: string;
  /** As the body names it, or the path. */
  model: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}
export interface ModelServer {
  /** Base without a path: `http://127.0.0.1:<port>`. */
  url: string;
  requests: ModelRequest[];
  [Symbol.asyncDispose](): Promise<void>;
}

const protocols: readonly Protocol[] = [chat, responses, messages, gemini];
/** How many tokens a prompt has, which some agents ask; the answers of the tests do not depend on it. */
const counts: Record<string, Json> = {
  count_tokens: { input_tokens: 100 },
  countTokens: { totalTokens: 100 },
};

async function readBody(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return isObject(parsed) ? parsed : {};
}

export async function startModelServer(): Promise<ModelServer> {
  const requests: ModelRequest[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://model').pathname;
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const counted = counts[/[/:](\w+)$/.exec(path)?.[1] ?? ''];
    const protocol = protocols.find((each) => each.takes(path));
    if (request.method === 'POST' && counted !== undefined) {
      json(200, counted);
      return;
    }
    if (request.method !== 'POST' || protocol === undefined) {
      json(404, { error: { message: `no route ${path}`, type: 'not_found' } });
      return;
    }
    const body = await readBody(request);
    const model = protocol.model?.(path) ?? String(body['model']);
    requests.push({ path, model, headers: request.headers, body });
    const fault = /^fault-(\d{3})$/.exec(model.split('/').at(-1) ?? '');
    if (fault?.[1] !== undefined) {
      json(Number(fault[1]), { error: { message: 'as the test asked', type: 'fault' } });
      return;
    }
    const wanted = decide(protocol.read(body));
    const streams = protocol.streams?.(path) ?? body['stream'] === true;
    if (!streams && protocol.whole !== undefined) {
      json(200, protocol.whole(wanted));
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send: Send = (data, event) => {
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`);
    };
    await protocol.stream(wanted, send, gone.signal).catch((error: unknown) => {
      if (!gone.signal.aborted) throw error;
    });
    response.end();
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
