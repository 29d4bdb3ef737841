import net from 'node:net';

/** The sandbox's egress port, on our side: says whose connection it is, then passes bytes both ways; either side may end its half first. */
export function createEgressForwarder(options: {
  sessionId: string;
  /** As of now: a bind may bring another token. */
  target: () => { socket: string; token: string };
}): { server: net.Server; close(): void } {
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (inside) => {
    const { socket, token } = options.target();
    const outside = net.connect({ path: socket, allowHalfOpen: true });
    for (const one of [inside, outside]) {
      open.add(one);
      one.on('error', () => one.destroy());
      one.once('close', () => {
        open.delete(one);
        inside.destroy();
        outside.destroy();
      });
    }
    outside.once('connect', () => {
      outside.write(`BERTH/1 ${options.sessionId} ${token}\n`);
      inside.pipe(outside);
      outside.pipe(inside);
    });
  });
  return {
    server,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
