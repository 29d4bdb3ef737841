import { createServer, request as ask, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { relayUpgrade } from './relay.ts';

const logger = pino({ level: 'silent' });
type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

async function upgrading(onUpgrade: OnUpgrade) {
  const sockets = new Set<Duplex>();
  const server: Server = createServer().on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    onUpgrade(request, socket, head);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${String(port)}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Resolves with the socket and what came with the head, or null when the connection was ended instead. */
function upgrade(port: number, path: string): Promise<{ socket: Duplex; head: Buffer } | null> {
  return new Promise((resolve) => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'x-kept': 'as it was' };
    ask({ host: '127.0.0.1', port, path, headers })
      .on('upgrade', (_answer, socket, head) => resolve({ socket, head }))
      .on('error', () => resolve(null))
      .end();
  });
}

test('the request goes on as it came but for its host; then bytes both ways, and the end of one is the end of the other', async () => {
  let came: IncomingMessage | undefined;
  const over = Promise.withResolvers<undefined>();
  await using holder = await upgrading((request, socket) => {
    came = request;
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    socket.on('data', (bytes: Buffer) => socket.write(bytes.toString().toUpperCase()));
    socket.on('end', () => socket.end()); // half of a connection passes as what it is
    socket.on('error', () => undefined);
    socket.once('close', () => over.resolve(undefined));
  });
  await using door = await upgrading((request, socket, head) =>
    relayUpgrade({ request, socket, head, to: holder.url, logger }),
  );
  const made = await upgrade(door.port, '/stream/1?at=x');
  expect(came?.url).toBe('/stream/1?at=x');
  expect(came?.headers).toMatchObject({
    host: new URL(holder.url).host,
    'x-kept': 'as it was',
    upgrade: 'websocket',
  });
  const socket = made?.socket;
  const back = new Promise<string>((resolve) =>
    socket?.once('data', (bytes: Buffer) => resolve(bytes.toString())),
  );
  socket?.write('hello');
  expect(await back).toBe('HELLO');
  socket?.destroy();
  await over.promise;
});

test('nobody there: the connection is ended', async () => {
  const away = await upgrading(() => undefined);
  await away[Symbol.asyncDispose]();
  await using door = await upgrading((request, socket, head) =>
    relayUpgrade({ request, socket, head, to: away.url, logger }),
  );
  expect(await upgrade(door.port, '/')).toBeNull();
});
