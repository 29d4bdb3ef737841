import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { limits } from './limits.ts';

/**
 * Hands a connection that wants to become a socket on to the process that waits for it: the request as it came, then the bytes both ways as they are. Nothing
 * of it is read here, and each side is as slow as the other one: that is TCP's own doing.
 */
export function relayUpgrade(options: {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  to: string;
  logger: Logger;
}): void {
  const { request, socket, head, logger } = options;
  const url = new URL(options.to);
  const secure = url.protocol === 'https:';
  const port = Number(url.port === '' ? (secure ? 443 : 80) : url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const upstream = secure ? tls.connect({ host, port, servername: host }) : net.connect(port, host);
  const late = setTimeout(() => upstream.destroy(new Error('not in time')), limits.dialMs);
  const end = (error?: Error): void => {
    clearTimeout(late);
    if (error !== undefined) logger.debug({ err: error }, 'a relayed stream broke');
    socket.destroy();
    upstream.destroy();
  };
  upstream.once('error', end);
  socket.once('error', end);
  upstream.once('close', () => end());
  socket.once('close', () => end());
  upstream.once(secure ? 'secureConnect' : 'connect', () => {
    clearTimeout(late);
    upstream.setNoDelay(true);
    if (socket instanceof net.Socket) socket.setNoDelay(true);
    upstream.write(headOf(request, url.host));
    if (head.length > 0) upstream.write(head);
    upstream.pipe(socket);
    socket.pipe(upstream);
  });
}

function headOf(request: IncomingMessage, host: string): string {
  const { rawHeaders } = request;
  const lines = [`${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/1.1`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    lines.push(`${name}: ${name.toLowerCase() === 'host' ? host : (rawHeaders[i + 1] ?? '')}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
