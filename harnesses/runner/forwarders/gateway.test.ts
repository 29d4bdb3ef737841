import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createGatewayForwarder, familyOf, passing } from './gateway.ts';

test.each([
  ['/v1/messages?beta=true', 'anthropic'],
  ['/v1/messages/count_tokens', 'anthropic'],
  ['/v1beta/models/m:streamGenerateContent?alt=sse', 'gemini'],
  ['/v1/chat/completions', 'openai'],
  ['/v1/responses', 'openai'],
  ['/v1/messagesque', 'openai'],
  ['/admin', null],
  ['/../gateway/x', null],
])('%s → %s', (path, family) => {
  expect(familyOf(path)).toBe(family);
});

test('what an agent believes to be its key stays behind, and so does what one hop says to the next', () => {
  const headers = {
    authorization: 'Bearer a',
    'x-api-key': 'a',
    'x-goog-api-key': 'a',
    'x-litellm-api-key': 'a',
    'x-berth-session': 'other',
    cookie: 'a',
    host: 'x',
    connection: 'keep-alive, x-hop',
    'x-hop': '1',
    'transfer-encoding': 'chunked',
    'content-type': 'application/json',
    'anthropic-beta': 'b',
  };
  expect(passing(headers, 'up')).toEqual({
    'content-type': 'application/json',
    'anthropic-beta': 'b',
  });
  expect(passing({ 'set-cookie': ['a'], 'content-type': 't' }, 'down')).toEqual({
    'content-type': 't',
  });
});

test('a gateway that goes away in the middle of a stream: seen by the connection, and by an event where the agent needs one', async () => {
  const gateway = http.createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"a":1}\n\n', () => setTimeout(() => response.destroy(), 20));
  });
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const at = (server: http.Server): string =>
    `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const url = at(gateway);
  const forwarder = createGatewayForwarder({
    sessionId: 's',
    upstream: () => ({ url, credential: 'c' }),
    log: () => undefined,
  });
  forwarder.server.listen(0, '127.0.0.1');
  await once(forwarder.server, 'listening');
  try {
    const ask = (path: string): Promise<Response> =>
      fetch(`${at(forwarder.server)}${path}`, { method: 'POST', body: '{}' });
    const other = await ask('/v1/messages');
    await expect(other.text()).rejects.toThrow('terminated');
    const gemini = await ask('/v1beta/models/m:streamGenerateContent?alt=sse');
    const [event, error, ...more] = (await gemini.text()).split('\n\n');
    expect([event, more]).toEqual(['data: {"a":1}', []]);
    expect(JSON.parse(error ?? '')).toMatchObject({ error: { code: 503, status: 'UNAVAILABLE' } });
  } finally {
    forwarder.close();
    gateway.closeAllConnections();
    gateway.close();
  }
});
