import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { limits } from './limits.ts';
import { createLink, redialMs } from './link.ts';

test.each([
  [0, limits.dialFirstMs],
  [3, 8 * limits.dialFirstMs],
  [20, limits.dialMostMs],
  [limits.dialPatience - 1, limits.dialMostMs],
  [limits.dialPatience, limits.dialOrphanMs],
  [1e9, limits.dialOrphanMs],
])('after %d dials in vain the next comes within %d ms', (tries, ms) => {
  expect(redialMs(tries)).toBe(ms);
});

/** Welcomes whoever comes, until it is closed. */
async function listen(port: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) =>
    socket.send(JSON.stringify({ op: 'welcome', sessions: [], purge: [] })),
  );
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', () => done()));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await new Promise((done) => server.close(done));
    },
  };
}

test('a control plane that stays away is said once, and once more after it was back', async () => {
  const said: string[] = [];
  let dials = 0;
  let { port, ...server } = await listen(0);
  const link = createLink({
    target: async () => {
      dials += 1;
      const url = `http://127.0.0.1:${String(port)}`;
      return { url, others: false, credential: 'c', runnerId: 'r' };
    },
    events: {
      hello: (runnerId) => ({ op: 'hello', protocol: 1, runnerId, version: 't', sessions: [] }),
      frame: () => undefined,
      up: () => undefined,
      down: () => undefined,
    },
    log: (_fields, message) => said.push(message),
  });
  const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });
  for (const round of [1, 2]) {
    await until(() => expect(link.ready).toBe(true));
    await server.close();
    const before = dials;
    await until(() => expect(dials).toBeGreaterThan(before + 4));
    expect(said.filter((line) => line === 'link up')).toHaveLength(round);
    expect(said.filter((line) => line === 'link closed')).toHaveLength(round);
    expect(said.filter((line) => line === 'link')).toHaveLength(round);
    ({ port, ...server } = await listen(port));
  }
  link.close();
  await server.close();
});
