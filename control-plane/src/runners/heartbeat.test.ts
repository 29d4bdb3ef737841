import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { keepAlive } from './heartbeat.ts';

const often = { pingMs: 10, beatsMissed: 4 };
const aWhileMs = 30 * often.pingMs;
let server: WebSocketServer;
beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
});
afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

/** Our end of a socket, and the other one. */
async function pair(autoPong = true): Promise<{ ours: WebSocket; peer: WebSocket }> {
  const connected = once(server, 'connection') as Promise<[WebSocket]>;
  const { port } = server.address() as AddressInfo;
  const peer = new WebSocket(`ws://127.0.0.1:${String(port)}`, { autoPong });
  const [[ours]] = await Promise.all([connected, once(peer, 'open')]);
  return { ours, peer };
}
/** Whether it ended within the while. */
const ended = (socket: WebSocket): Promise<boolean> =>
  Promise.race([
    once(socket, 'close').then(() => true),
    new Promise<boolean>((done) => setTimeout(() => done(false), aWhileMs)),
  ]);

test('a peer that is gone without a word is noticed', async () => {
  const { ours } = await pair(false);
  let told = 0;
  keepAlive(ours, often, () => (told += 1));
  expect(await ended(ours)).toBe(true);
  expect(told).toBe(1);
});

test('a peer that has nothing to say stays', async () => {
  const { ours } = await pair();
  keepAlive(ours, often);
  expect(await ended(ours)).toBe(false);
});
