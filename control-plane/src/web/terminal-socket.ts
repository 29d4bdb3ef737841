import type { Problem } from '@berth/contract';
import { closeCodes } from '@berth/contract';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Actor } from '../identity/index.ts';
import { limits } from './limits.ts';
import type { TerminalViewer } from '../terminals/index.ts';
import type { TerminalsPort } from './ports.ts';
import { problemOf } from './refusals.ts';

function closeCodeOf(problem: Problem): number {
  switch (problem.code) {
    case 'not-found':
      return closeCodes.notFound;
    case 'terminal-closed':
      return closeCodes.terminalClosed;
    case 'forbidden':
      return closeCodes.noLongerAllowed;
    case 'runner-unreachable':
    case 'sandbox-not-ready':
    case 'too-many-requests':
      return closeCodes.overloaded;
    default:
      return 1011;
  }
}

/** Frames in the order they came, kept from this call on. The socket is read only while nothing waits, so a flood of keys stays with its sender. */
function framesOf(socket: WebSocket, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const frames: Uint8Array[] = [];
  let wake: (() => void) | null = null;
  const notify = () => {
    wake?.();
    wake = null;
  };
  socket.on('message', (data, binary) => {
    if (!binary || !Buffer.isBuffer(data)) return;
    frames.push(data);
    if (frames.length >= limits.pendingFrames) socket.pause();
    notify();
  });
  signal.addEventListener('abort', notify, { once: true });
  return (async function* () {
    while (!signal.aborted) {
      const frame = frames.shift();
      if (frame !== undefined) {
        yield frame;
        continue;
      }
      if (socket.isPaused) socket.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  })();
}

/** One viewer of one terminal: bytes both ways, until either is gone. */
export async function serveTerminal(
  socket: WebSocket,
  actor: Actor,
  target: { terminalId: string; cols: number; rows: number; offset?: number },
  { terminals, logger }: { terminals: TerminalsPort; logger: Logger },
): Promise<void> {
  const gone = new AbortController();
  const waiting = new Set<() => void>();
  const wake = () => {
    const all = [...waiting];
    waiting.clear();
    for (const resume of all) resume();
  };
  socket.once('close', () => {
    gone.abort();
    wake();
  });
  // Listening starts before the terminal is looked for: keys that come early are kept.
  const frames = framesOf(socket, gone.signal);
  const viewer: TerminalViewer = {
    send(bytes) {
      if (socket.readyState === socket.OPEN) socket.send(bytes, wake);
      return socket.bufferedAmount <= limits.readerBytesLow;
    },
    async drained() {
      while (!gone.signal.aborted && socket.bufferedAmount > limits.readerBytesLow)
        await new Promise<void>((resolve) => waiting.add(resolve));
    },
    close: (code, reason) => socket.close(code, reason.slice(0, 100)),
    frames: () => frames,
  };
  const { terminalId, ...at } = target;
  try {
    await terminals.attach(actor, terminalId, at, viewer, gone.signal);
    socket.close(1000);
  } catch (error) {
    if (gone.signal.aborted) return;
    const problem = problemOf(error);
    if (problem === null)
      logger.error({ err: error, terminalId }, 'terminal socket failed unexpectedly');
    socket.close(problem === null ? 1011 : closeCodeOf(problem), problem?.code ?? 'internal-error');
  }
}
