import { createBeats } from '@berth/contract/link';
import type { WebSocket } from 'ws';

/** Ends a socket whose other side is gone without a word. */
export function keepAlive(
  socket: WebSocket,
  { pingMs, beatsMissed }: { pingMs: number; beatsMissed: number },
  silent: () => void = () => undefined,
): void {
  const beats = createBeats(beatsMissed);
  for (const event of ['message', 'ping', 'pong']) socket.on(event, () => beats.heard());
  const heart = setInterval(() => {
    if (!beats.beat(!socket.isPaused)) {
      silent();
      socket.terminate();
    } else if (socket.readyState === socket.OPEN) socket.ping();
  }, pingMs);
  heart.unref();
  socket.once('close', () => clearInterval(heart));
}
