import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { watchLeaving } from './leaving.ts';
import { refuse } from './refuse.ts';
import { refusals } from './refusals.ts';

async function server(answer: (response: ServerResponse) => void) {
  const listening = createServer((_request, response) => answer(response));
  await new Promise<void>((done) => listening.listen(0, '127.0.0.1', done));
  const { port } = listening.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/`,
    [Symbol.asyncDispose]: async () => {
      listening.closeAllConnections();
      await new Promise((done) => listening.close(done));
    },
  };
}

test('a refusal is said with its status, and its headers cannot change what it is', async () => {
  await using at = await server((response) =>
    refuse(response, 'chat', 'rate-limited', undefined, {
      'retry-after': '7',
      'content-type': 'x',
    }),
  );
  const answer = await fetch(at.url);
  expect(answer.status).toBe(refusals['rate-limited'].status);
  expect(answer.headers.get('retry-after')).toBe('7');
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(await answer.json()).toBeTypeOf('object');
});

test('an answer that has begun is broken off, never ended as if it were whole', async () => {
  await using at = await server((response) => {
    response.writeHead(200);
    response.write('half', () => refuse(response, 'chat', 'gateway-unreachable'));
  });
  await expect(fetch(at.url).then((answer) => answer.text())).rejects.toThrow();
});

test('whoever leaves ends its call at once; a call that was answered is not ended by it', async () => {
  const left = Promise.withResolvers<boolean>();
  const done = Promise.withResolvers<boolean>();
  const gone = new AbortController();
  let calls = 0;
  await using at = await server((response) => {
    const agent = watchLeaving(response);
    if (calls++ === 0) {
      agent.ends(() => left.resolve(agent.gone));
      gone.abort();
      return;
    }
    agent.ends(() => done.reject(new Error('ended a call that had its answer')));
    response.once('close', () => setImmediate(() => done.resolve(agent.gone)));
    response.end('whole');
  });
  await expect(fetch(at.url, { signal: gone.signal })).rejects.toThrow();
  expect(await left.promise).toBe(true);
  expect(await (await fetch(at.url)).text()).toBe('whole');
  expect(await done.promise).toBe(false);
});
