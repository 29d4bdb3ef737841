import http from 'node:http';
import type { lookup } from 'node:dns';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { mayDial, type TrustedRange } from './addresses.ts';
import { helloBytesMax, readGreeting } from './client-hello.ts';
import type { EgressRecord } from './messages.ts';
import { normaliseHost, type EgressPolicy } from './policy.ts';

const limits = { dialMs: 15_000, helloMs: 15_000 } as const;

/** Answers a CONNECT with a refusal; the reason stands in a header too, where people who use `curl -v` look. */
export function refuse(socket: Duplex, status: number, reason: string): void {
  const body = `Berth: ${reason}.\n`;
  const head = [
    `HTTP/1.1 ${String(status)} ${http.STATUS_CODES[status] ?? ''}`,
    `x-berth: ${reason}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${String(Buffer.byteLength(body))}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/**
 * One blind tunnel: resolve, check the address, dial that very address, answer 200, hold the client's greeting back until its TLS server name is
 * seen to be the CONNECT host, then pass bytes both ways. Ends with exactly one record.
 */
export function openTunnel(options: {
  policy: EgressPolicy;
  target: { host: string; port: number };
  socket: Duplex;
  head: Buffer;
  clock: Clock;
  resolve: typeof lookup;
  trusted: readonly TrustedRange[];
  record: (entry: EgressRecord) => void;
}): void {
  const { policy, target, socket, head, clock, resolve, trusted } = options;
  const startedAt = clock.now();
  let state: 'dialling' | 'greeting' | 'open' | 'ended' = 'dialling';
  let upstream: net.Socket | undefined;
  let address: string | undefined;
  let timer = setTimeout(() => fail(504, 'failed', `${target.host} did not answer`), limits.dialMs);

  function finish(outcome: EgressRecord['outcome'], reason: string): void {
    if (state === 'ended') return;
    state = 'ended';
    clearTimeout(timer);
    options.record({
      sessionId: policy.sessionId,
      teamId: policy.teamId,
      at: startedAt,
      host: target.host,
      port: target.port,
      outcome,
      reason,
      ...(address === undefined ? {} : { address }),
      bytesUp: upstream?.bytesWritten ?? 0,
      bytesDown: upstream?.bytesRead ?? 0,
      ms: clock.now() - startedAt,
    });
  }
  /** Before 200: the client gets an answer. */
  function fail(status: number, outcome: 'denied' | 'failed', reason: string): void {
    finish(outcome, reason);
    upstream?.destroy();
    refuse(socket, status, reason);
  }
  /** After 200: all that is left is to cut. */
  function cut(outcome: 'denied' | 'failed', reason: string): void {
    finish(outcome, reason);
    upstream?.destroy();
    socket.destroy();
  }

  socket.on('close', () => {
    if (state === 'open') finish('tunnelled', 'on the egress list');
    else finish('failed', 'the client left before the tunnel was open');
    upstream?.destroy();
  });

  resolve(target.host, { all: true }, (error, found) => {
    if (state !== 'dialling') return;
    if (error !== null) {
      fail(502, 'failed', `${target.host} has no address`);
      return;
    }
    const safe = found.find((candidate) => mayDial(candidate.address, target.port, trusted));
    if (safe === undefined) {
      fail(403, 'denied', `${target.host} leads to an address that is not public`);
      return;
    }
    address = safe.address;
    dial(safe.address);
  });

  function dial(checked: string): void {
    const far = net.connect({ host: checked, port: target.port, allowHalfOpen: true });
    upstream = far;
    far.on('error', () => {
      if (state === 'dialling') fail(502, 'failed', `${target.host} could not be reached`);
      else socket.destroy();
    });
    far.on('close', () => {
      if (state === 'open') finish('tunnelled', 'on the egress list');
      if (state !== 'dialling') socket.destroy();
    });
    far.once('connect', () => {
      if (state !== 'dialling') return;
      state = 'greeting';
      clearTimeout(timer);
      timer = setTimeout(() => cut('failed', 'no TLS greeting came'), limits.helloMs);
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      greet(far);
    });
  }

  function greet(far: net.Socket): void {
    let held = head;
    const look = (): void => {
      if (state !== 'greeting') return;
      const greeting = readGreeting(held);
      if (greeting.kind === 'more' && held.length < helloBytesMax) return;
      socket.off('data', onData);
      if (greeting.kind !== 'name') {
        cut('denied', 'not TLS, or no server name');
      } else if (normaliseHost(greeting.name) !== target.host) {
        cut('denied', 'the TLS server name is another host');
      } else {
        state = 'open';
        clearTimeout(timer);
        far.write(held);
        socket.pipe(far);
        far.pipe(socket);
      }
    };
    const onData = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk]);
      look();
    };
    socket.on('data', onData);
    look();
  }
}
