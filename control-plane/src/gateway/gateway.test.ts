import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { createGateway, type Gateway } from './gateway.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

let upstream: http.Server;
let front: http.Server;
let gateway: Gateway;
let url: string;
let answer: Answer;
let seen: { url: string; headers: http.IncomingHttpHeaders; body: string }[];
let used: {
  sessionId: string;
  model: string;
  inputTokens: number;
  outputTokens: number;
  costUsd?: string;
}[];
let notices: string[];
let linked: boolean;

async function listen(server: http.Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}
beforeEach(async () => {
  seen = [];
  used = [];
  notices = [];
  linked = true;
  answer = (_request, response) => response.end('{}');
  upstream = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.method === 'GET') {
        response.setHeader('content-type', 'application/json');
        response.end(
          request.url === '/health/readiness'
            ? '{"status":"healthy","db":"Not connected"}'
            : request.url === '/model/info'
              ? '{"data":[{"model_name":"m","model_info":{"input_cost_per_token":0.5,"output_cost_per_token":1}}]}'
              : '{"litellm_version":"1.2.3"}',
        );
        return;
      }
      seen.push({ url: request.url ?? '', headers: request.headers, body });
      answer(request, response, body);
    });
  });
  const target = await listen(upstream);
  start(target);
  front = http.createServer((request, response) => {
    request.url = (request.url ?? '').replace(/^\/gateway/, '');
    gateway.handle(request, response);
  });
  url = await listen(front);
});
function start(target: string | undefined): void {
  gateway = createGateway({
    ...(target === undefined ? {} : { url: target }),
    key: 'sk-real',
    clock: systemClock,
    logger: pino({ level: 'silent' }),
    linkMs: 1000,
    ports: {
      authenticate: async (credential) => (credential === 'runner' ? { runnerId: 'r' } : null),
      session: async (runnerId, sessionId) =>
        runnerId === 'r' && sessionId === 's' && linked ? { models: ['m'] } : undefined,
      used: (sessionId, usage) => used.push({ sessionId, ...usage }),
      notice: (_sessionId, code) => notices.push(code),
    },
  });
}
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  front.closeAllConnections();
  upstream.closeAllConnections();
  front.close();
  upstream.close();
});

const call = (
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
) =>
  fetch(`${url}/gateway${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: {
      authorization: 'Bearer runner',
      'x-berth-session': 's',
      'content-type': 'application/json',
      ...headers,
    },
    ...(signal === undefined ? {} : { signal }),
  });

test('a call goes on with our key, the session’s id and nothing the agent made up', async () => {
  answer = (_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.setHeader('x-litellm-model-api-base', 'http://secret');
    response.end('{"id":"1","usage":{"prompt_tokens":10,"completion_tokens":4}}');
  };
  const response = await call(
    '/openai/v1/chat/completions',
    { model: 'm', messages: [], api_key: 'evil', user: 'u' },
    { 'x-api-key': 'evil', 'x-litellm-tags': 'evil' },
  );
  expect(response.status).toBe(200);
  expect(response.headers.get('x-litellm-model-api-base')).toBeNull();
  expect(await response.json()).toMatchObject({ id: '1' });
  expect(seen[0]?.headers).toMatchObject({
    authorization: 'Bearer sk-real',
    'x-litellm-session-id': 's',
  });
  expect(JSON.stringify(seen)).not.toContain('evil');
  await expect
    .poll(() => used)
    .toMatchObject([{ sessionId: 's', model: 'm', inputTokens: 10, outputTokens: 4 }]);
});

test('the price list prices the calls after it was read', async () => {
  answer = (_request, response) =>
    response
      .setHeader('content-type', 'application/json')
      .end('{"usage":{"prompt_tokens":10,"completion_tokens":4}}');
  await call('/openai/v1/chat/completions', { model: 'm' });
  await expect
    .poll(async () => {
      await call('/openai/v1/chat/completions', { model: 'm' });
      return used.at(-1)?.costUsd;
    })
    .toBe('9.000000000');
});

test('a stream passes chunk by chunk, while the model still thinks', async () => {
  let next: (() => void) | undefined;
  answer = async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const text of [
      'data: {"choices":[{"delta":{"content":"one"}}]}\n\n',
      'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.25}}\n\ndata: [DONE]\n\n',
    ]) {
      response.write(text);
      await new Promise<void>((go) => (next = go));
    }
    response.end();
  };
  const response = await call('/openai/v1/chat/completions', { model: 'm', stream: true });
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(Buffer.from(first?.value ?? []).toString()).toContain('one'); // and upstream has not gone on yet
  next?.();
  const second = await reader?.read();
  expect(Buffer.from(second?.value ?? []).toString()).toBe('data: [DONE]\n\n'); // usage was ours to ask for
  next?.();
  expect((await reader?.read())?.done).toBe(true);
  await expect
    .poll(() => used)
    .toMatchObject([{ inputTokens: 1, outputTokens: 2, costUsd: '0.250000000' }]);
});

test('an agent that leaves ends the call upstream, and what was seen is counted', async () => {
  let closed = false;
  answer = (request, response) => {
    request.socket.on('close', () => (closed = true));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[{"delta":{"content":"one"}}]}\n\n');
  };
  const stop = new AbortController();
  const response = await call(
    '/openai/v1/chat/completions',
    { model: 'm', stream: true },
    {},
    stop.signal,
  );
  await response.body?.getReader().read();
  stop.abort();
  await expect.poll(() => closed).toBe(true);
  await expect.poll(() => used.length).toBe(1);
  expect(used[0]?.inputTokens).toBeGreaterThan(0);
});

test('a stream that upstream cuts ends for the agent too, and nothing else falls', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[]}\n\n', () => response.destroy());
  };
  const response = await call('/anthropic/v1/messages', { model: 'm', stream: true });
  await expect(response.text()).rejects.toThrow();
  answer = (_request, next) => next.setHeader('content-type', 'application/json').end('{}');
  expect((await call('/anthropic/v1/messages', { model: 'm' })).status).toBe(200);
});

test.each([
  ['no credential', { authorization: '' }, 401],
  ['a user’s token', { authorization: 'Bearer berth_0123456789_x' }, 401],
  ['another session', { 'x-berth-session': 'other' }, 401],
])('%s opens nothing', async (_name, headers, status) => {
  expect((await call('/openai/v1/chat/completions', { model: 'm' }, headers)).status).toBe(status);
  expect(seen).toEqual([]);
});

test('an agent that asks before its runner’s link is back waits for it', async () => {
  linked = false;
  const asked = call('/openai/v1/chat/completions', { model: 'm' }, {});
  setTimeout(() => (linked = true), 200);
  expect((await asked).status).toBe(200);
  expect(seen).toHaveLength(1);
});

test.each([
  ['another model', '/anthropic/v1/messages', { model: 'expensive' }, 400, { type: 'error' }],
  [
    'a body that is not JSON',
    '/openai/v1/responses',
    '{',
    400,
    { error: { type: 'invalid_request_error' } },
  ],
  ['no model', '/openai/v1/responses', {}, 400, { error: {} }],
  ['another route', '/openai/key/generate', {}, 404, { error: {} }],
])('%s is refused in the route’s own shape', async (_name, path, body, status, shape) => {
  const response = await call(path, body);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject(shape);
  expect(seen).toEqual([]);
});

test('upstream errors are translated: status native, words ours, hint kept', async () => {
  answer = (_request, response) =>
    response
      .writeHead(429, { 'retry-after': '7' })
      .end('{"error":{"message":"key sk-real on http://secret"}}');
  const busy = await call('/anthropic/v1/messages', { model: 'm' });
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '7']);
  expect(await busy.text()).not.toContain('secret');
  answer = (_request, response) => response.writeHead(401).end('{}');
  expect((await call('/openai/v1/responses', { model: 'm' })).status).toBe(400);
  expect(notices).toEqual(['rate-limited', 'gateway-key']);
});

test('a count that fails is the agent’s affair alone', async () => {
  answer = (_request, response) => response.writeHead(500).end('{}');
  const count = '/gemini/v1beta/models/m:countTokens';
  expect((await call(count, { contents: [] })).status).toBe(500);
  expect(notices).toEqual([]);
  await call('/gemini/v1beta/models/m:generateContent', { contents: [] });
  expect(notices).toEqual(['gateway-failed']);
});

test('a gateway that is away is said to be away', async () => {
  upstream.closeAllConnections();
  upstream.close();
  const response = await call('/gemini/v1beta/models/m:generateContent', { contents: [] });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { status: 'UNAVAILABLE' } });
  expect(notices).toEqual(['gateway-unreachable']);
});

test('without a gateway the answer says what to set', async () => {
  await gateway[Symbol.asyncDispose]();
  start(undefined);
  const response = await call('/openai/v1/chat/completions', { model: 'm' });
  expect(await response.json()).toMatchObject({
    error: {
      message: 'No model is connected. Set LITELLM_GATEWAY_URL on the server to use models.',
    },
  });
});

test('what is there is found out without calling a model', async () => {
  await expect
    .poll(() => gateway.health())
    .toEqual({ configured: true, reachable: true, virtualKeys: false, version: '1.2.3' });
});

test('an agent that leaves while it is still asking harms nobody', async () => {
  const request = http.request(`${url}/gateway/openai/v1/responses`, {
    method: 'POST',
    headers: { authorization: 'Bearer runner', 'x-berth-session': 's', 'content-length': '1000' },
  });
  request.on('error', () => undefined);
  request.write('{');
  await new Promise((done) => setTimeout(done, 50));
  request.destroy();
  expect((await call('/openai/v1/responses', { model: 'm' })).status).toBe(200);
});
