import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { Actor } from '../identity/index.ts';
import type { EventLog } from '../sessions/index.ts';
import { createEventStreams } from './event-stream.ts';
import { createWebMetrics } from './metrics.ts';

const actor: Actor = { userId: 'u', userName: 'Ada', teamId: 't', role: 'owner', scopes: ['*'] };

test('a stream ends when its reader may no longer read, and not before', async () => {
  let closed = 0;
  const log: EventLog = {
    page: () => Promise.resolve({ items: [], lastSeq: 0 }),
    blob: () => Promise.reject(new Error('not asked for')),
    subscribe: () =>
      Promise.resolve({
        firstSeq: 1,
        lastSeq: 0,
        close: () => {
          closed += 1;
        },
      }),
  };
  const metrics = createWebMetrics(new Registry());
  const logger = pino({ level: 'silent' });
  const streams = createEventStreams({ log, metrics, logger, recheckMs: 5 });
  const answers = [true, new Error('the database is away'), true, false];
  let asked = 0;
  const stillAllowed = () => {
    const answer = answers[asked++] ?? false;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const failures: unknown[] = [];
  const server = createServer((_request, response) => {
    streams
      .open({ actor, sessionId: 's', from: {}, response, stillAllowed })
      .catch((error: unknown) => failures.push(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${String(port)}/`);
    expect(answer.status).toBe(200);
    await answer.text();
    expect(asked).toBe(answers.length);
    await expect.poll(() => closed).toBe(1);
    expect(failures).toEqual([]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
