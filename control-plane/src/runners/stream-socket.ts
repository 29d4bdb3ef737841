import { Problem } from '@berth/contract';
import { WebSocket } from 'ws';
import * as z from 'zod/mini';
import { limits } from './limits.ts';
import { runnerRefusal, unreachable } from './refusals.ts';
import type { RunnerStream } from './streams.ts';

const control = z.union([
  z.object({ meta: z.record(z.string(), z.unknown()) }),
  z.object({ end: z.literal(true) }),
  z.object({ fail: z.object({ code: z.string(), detail: z.string() }) }),
]);
type Frame = { kind: 'meta'; meta: Record<string, unknown> } | { kind: 'bytes'; bytes: Uint8Array };

/** A runner's stream on its own socket. It is read only while somebody takes what came, and written only while it leaves. */
export function runnerStream(socket: WebSocket, signal: AbortSignal): RunnerStream {
  const queue: Frame[] = [];
  let queuedBytes = 0;
  let ended = false;
  let failure: unknown;
  let closed = false;
  const waiting = new Set<() => void>();
  const wake = () => {
    const all = [...waiting];
    waiting.clear();
    for (const resume of all) resume();
  };
  const change = () => new Promise<void>((resolve) => waiting.add(resolve));
  const fail = (error: unknown) => {
    failure ??= error;
    wake();
  };

  const throwIfOver = () => {
    if (failure !== undefined) throw asError(failure);
    if (closed) throw unreachable('The runner broke off.');
  };

  socket.on('message', (data, isBinary) => {
    if (!Buffer.isBuffer(data)) return;
    if (isBinary) {
      queue.push({ kind: 'bytes', bytes: data });
      queuedBytes += data.length;
      if (queuedBytes > limits.streamBufferBytes) socket.pause();
    } else {
      const frame = readControl(data.toString('utf8'));
      if (frame === null) fail(new Problem('internal-error', 'The runner’s stream does not fit.'));
      else if ('meta' in frame) queue.push({ kind: 'meta', meta: frame.meta });
      else if ('end' in frame) ended = true;
      else fail(runnerRefusal(frame.fail.code, frame.fail.detail));
    }
    wake();
  });
  socket.once('close', () => {
    closed = true;
    if (!ended) fail(unreachable('The runner broke off.'));
    signal.removeEventListener('abort', aborted);
    wake();
  });
  const aborted = () => {
    fail(signal.reason);
    socket.terminate();
  };
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });

  return {
    async send(bytes) {
      throwIfOver();
      socket.send(bytes, wake);
      while (socket.bufferedAmount > limits.streamBufferBytes) {
        await change();
        throwIfOver();
      }
    },
    end() {
      if (socket.readyState === WebSocket.OPEN) socket.send('{"end":true}');
    },
    async *frames() {
      for (;;) {
        const next = queue.shift();
        if (next !== undefined) {
          if (next.kind === 'bytes') queuedBytes -= next.bytes.length;
          if (socket.isPaused && queuedBytes <= limits.streamBufferBytes / 2) socket.resume();
          yield next;
          continue;
        }
        // What came before a failure was given out already.
        if (failure !== undefined) throw asError(failure);
        if (ended) return;
        await change();
      }
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      // Paused, it would never see the other side's close.
      socket.resume();
      if (ended && failure === undefined) socket.close(1000);
      else socket.terminate();
      const timer = setTimeout(() => socket.terminate(), limits.closeMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

const asError = (failure: unknown): Error =>
  failure instanceof Error ? failure : new Error('the stream was given up', { cause: failure });

function readControl(text: string): z.infer<typeof control> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = z.safeParse(control, value);
  return parsed.success ? parsed.data : null;
}
