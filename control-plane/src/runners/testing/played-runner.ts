import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { challengeHeader, linkProtocol } from '@berth/contract/link';
import type { ControlFrame, RunnerFrame } from '@berth/contract/link';
import { WebSocket } from 'ws';
import type { RunnerEvents } from '../../sessions/index.ts';
import type { Runners } from '../runners.ts';

export async function serveRunners(
  runners: () => Runners,
): Promise<AsyncDisposable & { url: string }> {
  const http = createServer((_request, response) => {
    response.writeHead(404).end();
  });
  http.on('upgrade', (request, socket, head) => {
    if (!runners().upgrade(request, socket, head)) socket.destroy();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** The runner's end of the link, moved by the test. */
export async function playRunner(url: string, credential: string) {
  const headers = { authorization: `Bearer ${credential}` };
  const socket = new WebSocket(url.replace('http', 'ws') + '/api/v1/runner', linkProtocol, {
    headers,
  });
  let challenge = '';
  socket.on('upgrade', ({ headers: answer }) => {
    challenge = answer[challengeHeader]?.toString() ?? '';
  });
  const frames: ControlFrame[] = [];
  const onFrame = new Set<(frame: ControlFrame) => void>();
  let closedWith: number | undefined;
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as ControlFrame;
    frames.push(frame);
    for (const listener of onFrame) listener(frame);
  });
  const closed = new Promise<number>((resolve) =>
    socket.once('close', (code) => {
      closedWith = code;
      resolve(code);
    }),
  );
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const of = <K extends ControlFrame['op']>(op: K) =>
    frames.filter((frame): frame is Extract<ControlFrame, { op: K }> => frame.op === op);
  return {
    socket,
    challenge,
    frames,
    of,
    closed,
    get closedWith() {
      return closedWith;
    },
    onFrame: (listener: (frame: ControlFrame) => void) => onFrame.add(listener),
    send: (frame: RunnerFrame | Record<string, unknown>) => socket.send(JSON.stringify(frame)),
    raw: (text: string) => socket.send(text),
    hello(runnerId: string, sessions: Extract<RunnerFrame, { op: 'hello' }>['sessions'] = []) {
      this.send({ op: 'hello', protocol: 1, runnerId, version: 'test', sessions });
    },
    /** Dials a stream that the control plane asked for. */
    stream(streamId: string): WebSocket {
      const path = `/api/v1/runner/streams/${streamId}`;
      const dialled = new WebSocket(url.replace('http', 'ws') + path, { headers });
      // Many are broken off by the test, and how that looks from this end is no matter.
      dialled.on('error', () => undefined);
      return dialled;
    },
    close: () => socket.terminate(),
  };
}
export type PlayedRunner = Awaited<ReturnType<typeof playRunner>>;

/** What sessions would do, as a list. `hold` makes the log full. */
export function recordedEvents() {
  const seen: unknown[][] = [];
  let full: (() => void) | null = null;
  let release: Promise<void> = Promise.resolve();
  const slow = new Map<string, Promise<void>>();
  const events: RunnerEvents = {
    hello: async (runnerId, held) => {
      seen.push(['hello', runnerId, held.map((one) => one.sessionId)]);
      await slow.get('hello');
      return {
        sessions: held.map(({ sessionId, sourceId, lastN }) => ({
          sessionId,
          sourceId,
          lastSourceSeq: lastN,
        })),
        purge: [],
      };
    },
    events: (sessionId, _sourceId, items) => {
      seen.push(['events', sessionId, items.map((item) => item.n)]);
      return full === null;
    },
    drained: () => release,
    accepted: async (sessionId, turnId) => {
      await slow.get(sessionId);
      if (turnId.endsWith('f')) throw new Error('the database is on fire');
      seen.push(['accepted', sessionId, turnId]);
    },
    refused: async (sessionId, turnId, code) => {
      seen.push(['refused', sessionId, turnId, code]);
    },
    foreign: async (runnerId) => {
      seen.push(['foreign', runnerId]);
    },
    disconnected: async (runnerId) => {
      seen.push(['disconnected', runnerId]);
    },
  };
  return {
    events,
    seen,
    slow,
    hold() {
      release = new Promise((resolve) => {
        full = () => {
          full = null;
          resolve();
        };
      });
    },
    release: () => full?.(),
  };
}
