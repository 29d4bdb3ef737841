import { closeCodes } from '@berth/contract';
import { WebSocket } from 'ws';
import type { Connect, Socket, SocketHandlers } from './socket.ts';

/** A frame above this is not of our protocols. */
const frameBytesMax = 64 * 1024 * 1024;

/** `ws` with the bearer header. Compression is off: it costs more time than it saves on one machine, and latency on any. */
export const connectNode: Connect = (url, protocols, headers, handlers) =>
  connect(url, protocols, headers, handlers, {});

/** The same, to a server whose certificate one of `ca` has signed. */
export const connectTrusting =
  (ca: readonly string[]): Connect =>
  (url, protocols, headers, handlers) =>
    connect(url, protocols, headers, handlers, { ca: [...ca] });

function connect(
  url: string,
  protocols: readonly string[],
  headers: Readonly<Record<string, string>>,
  handlers: SocketHandlers,
  trust: { ca?: string[] },
): Socket {
  const socket = new WebSocket(url, [...protocols], {
    ...trust,
    headers: { ...headers },
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
    followRedirects: false,
  });
  let refused: number | undefined;
  socket.on('open', () => handlers.open());
  socket.on('message', (data, isBinary) => {
    const bytes = Array.isArray(data)
      ? Buffer.concat(data)
      : data instanceof ArrayBuffer
        ? Buffer.from(data)
        : data;
    handlers.message(isBinary ? bytes : bytes.toString('utf8'));
  });
  socket.on('ping', () => handlers.alive());
  socket.on('pong', () => handlers.alive());
  socket.on('unexpected-response', (request, response) => {
    refused = codeOfStatus[response.statusCode ?? 0];
    request.destroy();
    socket.terminate();
  });
  // `close` follows every error, and says all that we act on.
  socket.on('error', () => undefined);
  socket.on('close', (code, reason) => handlers.close(refused ?? code, reason.toString()));
  return {
    send: (data) => socket.send(data),
    close(code, reason) {
      if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
      else {
        socket.close(code, reason);
        // A peer that is gone never answers the close; its socket must not hold the process.
        setTimeout(() => socket.terminate(), 1000).unref();
      }
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
  };
}

/** Refusals before the upgrade, as the close codes that mean the same after it. */
const codeOfStatus: Partial<Record<number, number>> = {
  400: closeCodes.protocol,
  401: closeCodes.notSignedIn,
  403: closeCodes.noLongerAllowed,
  404: closeCodes.notFound,
  410: closeCodes.terminalClosed,
  426: closeCodes.protocol,
  503: closeCodes.overloaded,
};
