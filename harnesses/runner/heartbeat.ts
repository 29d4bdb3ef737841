import type { WebSocket } from 'ws';

/**
 * Ends a socket whose other side is gone without a word. Both sides of a stream do this, and ping also while they do not read: so a peer that only waits
 * for its own reader is still heard. Beats are counted, not milliseconds: a machine that slept has not heard nothing for hours.
 */
export function keepAlive(
  socket: WebSocket,
  { pingMs, beatsMissed }: { pingMs: number; beatsMissed: number },
  silent: () => void = () => undefined,
): void {
  let missed = 0;
  const heard = (): void => {
    missed = 0;
  };
  for (const event of ['message', 'ping', 'pong']) socket.on(event, heard);
  const heart = setInterval(() => {
    // While we do not read, its silence is ours.
    missed = socket.isPaused ? 0 : missed + 1;
    if (missed > beatsMissed) {
      silent();
      socket.terminate();
    } else if (socket.readyState === socket.OPEN) socket.ping();
  }, pingMs);
  heart.unref();
  socket.once('close', () => clearInterval(heart));
}
