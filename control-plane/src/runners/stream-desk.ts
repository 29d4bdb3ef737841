import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { linkProtocol } from '@berth/contract/link';
import type { StreamPurpose } from '@berth/contract/link';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { NewId } from '../ids.ts';
import { keepAlive } from './heartbeat.ts';
import { limits } from './limits.ts';
import { unreachable } from './refusals.ts';
import { runnerStream } from './stream-socket.ts';
import type { RunnerStream, RunnerStreams } from './streams.ts';

interface Expected {
  runnerId: string;
  arrived(socket: WebSocket): void;
}

/** Streams are asked for over the link and come as sockets of their own: each is expected once, from one runner, for a short time. */
export function createStreams(options: {
  newId: NewId;
  logger: Logger;
  /** Which runner may come, and how it is told to dial. Throws when there is none. */
  guest(sessionId: string): Promise<{
    runnerId: string;
    invite: (streamId: string, purpose: StreamPurpose, signal: AbortSignal) => Promise<void>;
  }>;
}) {
  const { newId, logger } = options;
  const expected = new Map<string, Expected>();
  const open = new Set<WebSocket>();
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.streamFrameBytes,
    handleProtocols: (offered) => (offered.has(linkProtocol) ? linkProtocol : false),
  });

  const streams: RunnerStreams = {
    async open(sessionId, purpose, signal): Promise<RunnerStream> {
      signal.throwIfAborted();
      const streamId = newId();
      const deadline = AbortSignal.timeout(limits.streamDialMs);
      const either = AbortSignal.any([signal, deadline]);
      const { runnerId, invite } = await options.guest(sessionId);
      signal.throwIfAborted();
      return new Promise<RunnerStream>((resolve, reject) => {
        const gaveUp = () => {
          expected.delete(streamId);
          reject(
            signal.aborted
              ? asError(signal.reason)
              : unreachable('The runner did not open the stream in time.'),
          );
        };
        either.addEventListener('abort', gaveUp, { once: true });
        // Expected before it is asked: it may be here before the answer is.
        expected.set(streamId, {
          runnerId,
          arrived(socket) {
            either.removeEventListener('abort', gaveUp);
            resolve(runnerStream(socket, signal));
          },
        });
        invite(streamId, purpose, either).catch((error: unknown) => {
          either.removeEventListener('abort', gaveUp);
          expected.delete(streamId);
          reject(asError(error));
        });
      });
    },
  };
  return {
    ...streams,
    /** False: not expected, or not from this runner. */
    admit(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      streamId: string,
      runnerId: string,
    ): boolean {
      const wanted = expected.get(streamId);
      if (wanted?.runnerId !== runnerId) return false;
      expected.delete(streamId);
      server.handleUpgrade(request, socket, head, (client) => {
        client.on('error', (error) => logger.debug({ err: error }, 'a stream broke'));
        open.add(client);
        keepAlive(client, limits.streamBeat, () =>
          logger.warn({ runnerId, streamId }, 'the other end of a stream fell silent'),
        );
        client.once('close', () => open.delete(client));
        wanted.arrived(client);
      });
      return true;
    },
    close(): void {
      for (const socket of open) socket.terminate();
    },
  };
}

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error('given up', { cause: reason });
