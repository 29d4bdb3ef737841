import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  linkProtocol,
  runnerFrame,
  type ControlFrame,
  type RunnerFrame,
  type SourceItem,
  type StreamPurpose,
} from '@berth/contract/link';
import { randomUUID } from 'node:crypto';
import { WebSocketServer, type WebSocket } from 'ws';
import * as z from 'zod/mini';

type Hello = Extract<RunnerFrame, { op: 'hello' }>;

/** The control plane's end of the link, for tests: keeps what a log would keep, and notices every gap and repeat. */
export interface Control extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly hellos: Hello[];
  readonly frames: RunnerFrame[];
  /** What the log holds of a session: each item once. */
  log(sessionId: string): SourceItem[];
  /** Items that came although the log had them: allowed after a reconnect only. */
  repeats: number;
  readonly gaps: string[];
  acking: boolean;
  send(frame: ControlFrame): void;
  call(sessionId: string, method: string, params: unknown): Promise<unknown>;
  stream(sessionId: string, purpose: StreamPurpose): Promise<WebSocket>;
  /** Cuts the link like a network does. */
  cut(): void;
  connected(): boolean;
  gateway: (request: IncomingMessage, response: ServerResponse) => void;
  purge: string[];
}

export async function startControl(credential: string, port = 0): Promise<Control> {
  const logs = new Map<string, { sourceId: string; items: SourceItem[] }>();
  const frames: RunnerFrame[] = [];
  const hellos: Hello[] = [];
  const gaps: string[] = [];
  const results = new Map<number, (frame: Extract<RunnerFrame, { op: 'result' }>) => void>();
  const streams = new Map<string, (socket: WebSocket) => void>();
  let link: WebSocket | null = null;
  let calls = 0;
  const server = createServer((request, response) => control.gateway(request, response));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.headers.authorization !== `Bearer ${credential}`) {
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (upgraded) => {
      const path = request.url ?? '';
      if (path === '/api/v1/runner') accept(upgraded);
      else streams.get(path.split('/').at(-1) ?? '')?.(upgraded);
    });
  });

  function accept(socket: WebSocket): void {
    if (socket.protocol !== linkProtocol) throw new Error('wrong subprotocol');
    socket.on('message', (data) => {
      const frame = z.parse(runnerFrame, JSON.parse((data as Buffer).toString('utf8')));
      take(frame, socket);
    });
    socket.on('close', () => {
      if (link === socket) link = null;
    });
  }
  function take(frame: RunnerFrame, socket: WebSocket): void {
    frames.push(frame);
    switch (frame.op) {
      case 'hello':
        hellos.push(frame);
        link = socket;
        control.send({
          op: 'welcome',
          sessions: frame.sessions.map(({ sessionId, sourceId }) => {
            const log = logs.get(sessionId);
            const lastSourceSeq = log?.sourceId === sourceId ? (log.items.at(-1)?.n ?? 0) : 0;
            return { sessionId, sourceId, lastSourceSeq };
          }),
          purge: control.purge,
        });
        return;
      case 'ping':
        control.send({ op: 'pong' });
        return;
      case 'events': {
        const { sessionId, sourceId } = frame;
        let log = logs.get(sessionId);
        if (log?.sourceId !== sourceId) logs.set(sessionId, (log = { sourceId, items: [] }));
        for (const item of frame.items) {
          const last = log.items.at(-1)?.n ?? 0;
          if (item.n <= last) control.repeats++;
          else if (item.n > last + 1) gaps.push(`${String(last)} → ${String(item.n)}`);
          else log.items.push(item);
        }
        if (control.acking)
          control.send({ op: 'ack', sessionId, sourceId, n: log.items.at(-1)?.n ?? 0 });
        return;
      }
      case 'result':
        results.get(frame.id)?.(frame);
        results.delete(frame.id);
        return;
      default:
    }
  }

  const control: Control = {
    url: '',
    port: 0,
    hellos,
    frames,
    repeats: 0,
    gaps,
    acking: true,
    purge: [],
    log: (sessionId) => logs.get(sessionId)?.items ?? [],
    send: (frame) => link?.send(JSON.stringify(frame)),
    async call(sessionId, method, params) {
      const id = ++calls;
      const answer = new Promise<Extract<RunnerFrame, { op: 'result' }>>((resolve) =>
        results.set(id, resolve),
      );
      control.send({ op: 'call', id, sessionId, method, params });
      const result = await answer;
      if (!result.ok) throw new Error(`${result.code}: ${result.detail}`);
      return result.value;
    },
    async stream(sessionId, purpose) {
      const streamId = randomUUID();
      const come = new Promise<WebSocket>((resolve) => streams.set(streamId, resolve));
      control.send({ op: 'stream', streamId, sessionId, purpose });
      return come;
    },
    cut: () => link?.terminate(),
    connected: () => link !== null,
    gateway: (_request, response) => response.writeHead(404).end(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve());
  });
  const address = server.address() as AddressInfo;
  return Object.assign(control, {
    url: `http://127.0.0.1:${String(address.port)}`,
    port: address.port,
  });
}
