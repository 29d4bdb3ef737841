/** A WebSocket as this package needs it: the browser's and `ws` both fit behind it. */
export interface Socket {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** Bytes handed to `send` that have not left yet. */
  readonly bufferedBytes: number;
}
/** Called until `close`, which comes once and last, also when the socket could never be opened. */
export interface SocketHandlers {
  open(): void;
  message(data: string | Uint8Array): void;
  /** A sign of life below the messages (a ping), where the platform shows it. */
  alive(): void;
  close(code: number, reason: string): void;
}
export type Connect = (
  url: string,
  protocols: readonly string[],
  headers: Readonly<Record<string, string>>,
  handlers: SocketHandlers,
) => Socket;

/** The platform's own WebSocket, which takes no headers: use tickets with it. */
export const connectBrowser: Connect = (url, protocols, _headers, handlers) => {
  const socket = new WebSocket(url, [...protocols]);
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', () => handlers.open());
  socket.addEventListener('message', (event: { data: unknown }) => {
    if (typeof event.data === 'string') handlers.message(event.data);
    else if (event.data instanceof ArrayBuffer) handlers.message(new Uint8Array(event.data));
  });
  socket.addEventListener('close', (event: { code: number; reason: string }) =>
    handlers.close(event.code, event.reason),
  );
  return {
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
  };
};
