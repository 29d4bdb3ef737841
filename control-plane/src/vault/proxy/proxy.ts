import { createHash, timingSafeEqual } from 'node:crypto';
import { lookup } from 'node:dns';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { TrustedRange } from './addresses.ts';
import type { EgressRecord } from './messages.ts';
import { judge, normaliseHost, type EgressPolicy } from './policy.ts';
import { openTunnel, refuse } from './tunnel.ts';

const limits = {
  /** The runner's first line; longer or later: the connection is cut. */
  preambleBytes: 256,
  preambleMs: 5_000,
  /** Tunnels of one session at a time; the next is refused. */
  tunnelsPerSession: 256,
} as const;

export interface Proxy {
  setPolicy(policy: EgressPolicy): void;
  forget(sessionId: string): void;
  listen(socketPath: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Default deny. Each connection begins with the runner's line `BERTH/1 <sessionId> <egressToken>`, then speaks HTTP: CONNECT to a host of the agent's list
 * becomes a blind tunnel whose TLS server name must be that host; everything else is refused with a reason. Nothing is decrypted.
 */
export function createProxy(options: {
  clock: Clock;
  trusted: readonly TrustedRange[];
  record: (entry: EgressRecord) => void;
  /** How names become addresses; the check sits on its answer. */
  resolve?: typeof lookup;
}): Proxy {
  const { clock, trusted, record } = options;
  const resolve = options.resolve ?? lookup;
  const ports = new Set(trusted.map((range) => range.port));
  const policies = new Map<string, EgressPolicy>();
  const tunnels = new Map<string, Set<Duplex>>();
  const owners = new WeakMap<Duplex, string>();
  const server = http.createServer({ maxHeaderSize: 16 * 1024 });
  server.requestTimeout = 0;
  const door = net.createServer((socket) => admit(socket));
  const open = new Set<net.Socket>();

  /** Reads the preamble, then hands the socket to the HTTP parser. */
  function admit(socket: net.Socket): void {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), limits.preambleMs);
    let seen = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf(0x0a);
      if (end < 0 && seen.length <= limits.preambleBytes) return;
      clearTimeout(timer);
      socket.off('data', onData);
      const sessionId =
        end < 0 || end > limits.preambleBytes
          ? null
          : authenticate(seen.toString('latin1', 0, end));
      if (sessionId === null) {
        socket.destroy();
        return;
      }
      owners.set(socket, sessionId);
      socket.pause();
      if (end + 1 < seen.length) socket.unshift(seen.subarray(end + 1));
      server.emit('connection', socket);
      socket.resume();
    };
    socket.on('data', onData);
    socket.on('close', () => clearTimeout(timer));
  }

  function authenticate(line: string): string | null {
    const [version, sessionId = '', token = '', ...rest] = line.split(' ');
    const policy = policies.get(sessionId);
    if (version !== 'BERTH/1' || rest.length > 0 || policy === undefined) return null;
    const given = createHash('sha256').update(token).digest();
    const known = Buffer.from(policy.tokenHash, 'base64');
    return given.length === known.length && timingSafeEqual(given, known) ? sessionId : null;
  }

  /** The policy as it is now: a change of the list holds for the next connection. */
  const policyOf = (socket: Duplex): EgressPolicy | undefined =>
    policies.get(owners.get(socket) ?? '');

  server.on('request', (request, response) => {
    const policy = policyOf(request.socket);
    if (policy !== undefined) {
      const target = request.url ?? '';
      const host = URL.canParse(target)
        ? (normaliseHost(new URL(target).hostname) ?? 'unknown')
        : 'unknown';
      deny(policy, host, 80, 'plain HTTP is not tunnelled, use https');
    }
    response.writeHead(403, {
      'x-berth': 'plain HTTP is not tunnelled, use https',
      connection: 'close',
    });
    response.end('Berth: plain HTTP is not tunnelled, use https.\n');
  });
  server.on('clientError', (_error, socket) => socket.destroy());

  server.on('connect', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const policy = policyOf(socket);
    socket.on('error', () => socket.destroy());
    if (policy === undefined) {
      socket.destroy();
      return;
    }
    const verdict = judge(policy, request.url ?? '', ports);
    const running = tunnels.get(policy.sessionId) ?? new Set();
    if (verdict.kind === 'denied') {
      deny(policy, verdict.host, verdict.port, verdict.reason);
      refuse(socket, 403, verdict.reason);
    } else if (running.size >= limits.tunnelsPerSession) {
      deny(policy, verdict.host, verdict.port, 'too many connections at once');
      refuse(socket, 429, 'too many connections at once');
    } else {
      tunnels.set(policy.sessionId, running.add(socket));
      socket.on('close', () => running.delete(socket));
      openTunnel({ policy, target: verdict, socket, head, clock, resolve, trusted, record });
    }
  });

  function deny(policy: EgressPolicy, host: string, port: number, reason: string): void {
    record({
      sessionId: policy.sessionId,
      teamId: policy.teamId,
      at: clock.now(),
      host,
      port,
      outcome: 'denied',
      reason,
      bytesUp: 0,
      bytesDown: 0,
      ms: 0,
    });
  }

  return {
    setPolicy: (policy) => {
      policies.set(policy.sessionId, policy);
    },
    forget: (sessionId) => {
      policies.delete(sessionId);
      for (const socket of tunnels.get(sessionId) ?? []) socket.destroy();
      tunnels.delete(sessionId);
    },
    listen: (socketPath) =>
      new Promise((done, failed) => {
        door.once('error', failed);
        door.listen(socketPath, () => done());
      }),
    close: () =>
      new Promise((done) => {
        for (const socket of open) socket.destroy();
        door.close(() => done());
      }),
  };
}
