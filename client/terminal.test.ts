import type { AddressInfo } from 'node:net';
import type { TerminalFrame } from '@berth/contract';
import { decodeTerminalFrame, encodeTerminalFrame } from '@berth/contract';
import { afterEach, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { createClient } from './client.ts';
import { connectNode } from './node-socket.ts';
import { attachTerminal } from './terminal.ts';

const terminalId = '0198c0de-0000-7000-8000-000000000002';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The terminal socket of API.md §5 over real sockets; the test plays the server. */
async function playServer(verify?: (authorization: string) => number | null) {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: ({ req }, done) => {
      const status = verify?.(req.headers.authorization ?? '') ?? null;
      if (status === null) done(true);
      else done(false, status);
    },
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const sockets: { socket: WebSocket; url: URL; frames: TerminalFrame[] }[] = [];
  server.on('connection', (socket, request) => {
    const frames: TerminalFrame[] = [];
    socket.on('message', (data) => {
      const frame = decodeTerminalFrame(data as Buffer, 'viewer');
      if (frame !== null) frames.push(frame);
    });
    sockets.push({ socket, url: new URL(request.url ?? '', 'http://x'), frames });
  });
  cleanups.push(() => {
    for (const { socket } of sockets) socket.terminate();
    return new Promise((resolve) => server.close(resolve));
  });
  const client = createClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: () => 'berth_t_s',
  });
  const nth = async (n: number) => {
    await vi.waitFor(() => expect(sockets.length).toBeGreaterThan(n), { timeout: 5000 });
    return sockets[n]!;
  };
  return { client, nth, sockets };
}
const bytes = (text: string) => new TextEncoder().encode(text);
const data = (offset: number, text: string) =>
  encodeTerminalFrame({ type: 'data', offset, bytes: bytes(text) });

function attach(client: ReturnType<typeof createClient>, offset?: number) {
  const attachment = attachTerminal({
    client,
    terminalId,
    size: { cols: 80, rows: 24 },
    offset,
    connect: connectNode,
    random: () => 0,
  });
  cleanups.push(() => attachment.close());
  const seen: unknown[] = [];
  let text = '';
  attachment.onBytes((chunk, at) => {
    text += Buffer.from(chunk).toString();
    seen.push(['bytes', at]);
  });
  attachment.onResize((cols, rows) => seen.push(['resize', cols, rows]));
  attachment.onScreen((screen) => seen.push(['screen', screen.offset, screen.cols, screen.rows]));
  attachment.onExit((code) => seen.push(['exit', code]));
  return { attachment, seen, text: () => text };
}

test('size, screen, bytes, keys, and the way back by offset after a drop: no byte twice', async () => {
  const { client, nth } = await playServer();
  const { attachment, seen, text } = attach(client);
  const first = await nth(0);
  expect(first.url.pathname).toBe(`/api/v1/terminals/${terminalId}/attach`);
  expect(first.url.search).toBe('?cols=80&rows=24');
  first.socket.send(encodeTerminalFrame({ type: 'resize', cols: 100, rows: 30 }));
  first.socket.send(
    encodeTerminalFrame({ type: 'screen', offset: 500, cols: 100, rows: 30, bytes: bytes('$ ') }),
  );
  first.socket.send(data(500, 'hello '));
  await vi.waitFor(() => expect(text()).toBe('hello '));
  expect(attachment.write(bytes('ls\r'))).toBe(true);
  attachment.resize(90, 20);
  attachment.resize(90, 20);
  await vi.waitFor(() => expect(first.frames).toHaveLength(2));
  expect(first.frames).toMatchObject([{ type: 'keys' }, { type: 'resize', cols: 90, rows: 20 }]);

  first.socket.terminate();
  await vi.waitFor(() => expect(attachment.state.kind).toBe('awaiting-retry'));
  expect(attachment.write(bytes('lost'))).toBe(false);
  const second = await nth(1);
  expect(second.url.search).toBe('?cols=90&rows=20&offset=506');
  second.socket.send(data(503, 'lo world'));
  await vi.waitFor(() => expect(text()).toBe('hello world'));
  expect(seen).toEqual([
    ['resize', 100, 30],
    ['screen', 500, 100, 30],
    ['bytes', 500],
    ['bytes', 506],
  ]);
});

test('a hole in the bytes is asked for again', async () => {
  const { client, nth } = await playServer();
  const { text } = attach(client, 10);
  const first = await nth(0);
  first.socket.send(data(10, 'ab'));
  first.socket.send(data(15, 'late'));
  const second = await nth(1);
  expect(second.url.searchParams.get('offset')).toBe('12');
  second.socket.send(data(12, 'cd'));
  await vi.waitFor(() => expect(text()).toBe('abcd'));
});

test('acknowledges what was consumed, in order, and not before', async () => {
  const { client, nth } = await playServer();
  const { attachment } = attach(client, 0);
  let release = (): void => undefined;
  attachment.onBytes(
    () =>
      new Promise<void>((resolve) => {
        release = resolve;
      }),
  );
  const first = await nth(0);
  first.socket.send(data(0, 'x'.repeat(200_000)));
  await vi.waitFor(() => expect(attachment.offset).toBe(200_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(first.frames).toEqual([]);
  release();
  await vi.waitFor(() => expect(first.frames).toEqual([{ type: 'ack', offset: 200_000 }]));
});

test('the exit is the end; nobody dials again', async () => {
  const { client, nth, sockets } = await playServer();
  const { attachment, seen } = attach(client);
  const first = await nth(0);
  first.socket.send(encodeTerminalFrame({ type: 'exit', exitCode: 7 }));
  await vi.waitFor(() => expect(seen).toEqual([['exit', 7]]));
  expect(attachment.state).toEqual({ kind: 'disconnected', reason: 'ended' });
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(sockets).toHaveLength(1);
});

test.each([
  [401, 'auth'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [410, 'ended'],
])('%i before the upgrade waits for a person: %s', async (status, reason) => {
  const { client } = await playServer((authorization) =>
    authorization === 'Bearer berth_t_s' ? status : null,
  );
  const { attachment } = attach(client);
  await vi.waitFor(() => expect(attachment.state).toEqual({ kind: 'disconnected', reason }), {
    timeout: 5000,
  });
});
