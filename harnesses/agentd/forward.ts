import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';

/** A runner that restarts is back within this; the caller inside waits instead of failing. */
const dialForMs = 5000;
const dialPauseMs = 50;
const connectionsMax = 512;

/**
 * Loopback ports of the sandbox, each tunnelled byte for byte to a Unix socket of the runner. Either side may close its half first.
 * A port stays open for the life of agentd: asking for it again only changes nothing.
 */
export function createForwards(options: { socketDir: string; log: (line: string) => void }): {
  /** Resolves when they listen, or cannot. */
  ensure(ports: readonly { port: number; socket: string }[]): Promise<void>;
  close(): void;
} {
  const { socketDir, log } = options;
  const servers = new Map<number, { server: Server; opened: Promise<unknown> }>();
  return {
    async ensure(ports) {
      const opened: Promise<unknown>[] = [];
      for (const { port, socket } of ports) {
        const known = servers.get(port);
        if (known) {
          opened.push(known.opened);
          continue;
        }
        const target = path.resolve(socketDir, socket);
        const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) =>
          tunnel(client, target, 0),
        );
        server.maxConnections = connectionsMax;
        server.on('error', (error) => {
          servers.delete(port); // the next hello tries again
          log(`port ${String(port)} cannot be opened: ${error.message}`);
        });
        const listening = new Promise((resolve) => {
          server.once('listening', resolve).once('error', resolve);
        });
        opened.push(listening);
        server.listen(port, '127.0.0.1');
        servers.set(port, { server, opened: listening });
      }
      await Promise.all(opened);
    },
    close() {
      for (const { server } of servers.values()) server.close();
    },
  };
}

function tunnel(client: Socket, target: string, waitedMs: number): void {
  const upstream = connect({ path: target, allowHalfOpen: true });
  let joined = false;
  upstream.once('connect', () => {
    joined = true;
    client.setNoDelay(true);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  upstream.on('error', () => upstream.destroy());
  upstream.once('close', () => {
    if (joined || client.destroyed || waitedMs >= dialForMs) client.destroy();
    else setTimeout(() => tunnel(client, target, waitedMs + dialPauseMs), dialPauseMs);
  });
  client.on('error', () => client.destroy());
  client.once('close', () => upstream.destroy());
}
