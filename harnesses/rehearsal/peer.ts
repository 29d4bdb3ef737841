import { StringDecoder } from 'node:string_decoder';

/**
 * JSON-RPC over lines, as ACP speaks it. The protocol library builds a thousand schemas before its first word, which is more than half of what an agent without a
 * model needs to start; here each handler looks at the few fields that it reads. The tests speak to it by the library's own client.
 */
export interface Peer {
  notify(method: string, params: object): Promise<void>;
  /** Rejects when the signal aborts, having told the other side that nobody waits any more. */
  request(method: string, params: object, signal: AbortSignal): Promise<unknown>;
}
type Handler = (params: Fields, peer: Peer) => unknown;
export interface Handlers {
  readonly requests: Readonly<Record<string, Handler>>;
  readonly notifications: Readonly<Record<string, Handler>>;
}
export type Fields = Readonly<Record<string, unknown>>;
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

/** An error that the other side is told. */
export class Refused extends Error {
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}
export const invalid = (what: string, data: unknown): Refused =>
  new Refused(-32602, `Invalid params: ${what}`, data);
export function textIn(params: Fields, name: string): string {
  const value = params[name];
  if (typeof value !== 'string') throw invalid(`${name} must be a string`, params);
  return value;
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** Resolves when the other side has closed its end. */
export async function speak(options: {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
  handlers: Handlers;
  /** Told about a fault that no answer can carry. */
  onFault: (error: unknown) => void;
}): Promise<void> {
  const { input, output, handlers, onFault } = options;
  const asked = new Map<number, Waiting>();
  let lastId = 0;
  let room: PromiseWithResolvers<undefined> | undefined;

  output.on('drain', () => {
    room?.resolve(undefined);
    room = undefined;
  });
  const send = async (message: object): Promise<void> => {
    if (output.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)) return;
    room ??= Promise.withResolvers<undefined>();
    await room.promise;
  };
  const peer: Peer = {
    notify: (method, params) => send({ method, params }),
    async request(method, params, signal) {
      signal.throwIfAborted();
      const id = ++lastId;
      const answer = Promise.withResolvers<unknown>();
      const takeBack = (): void => {
        send({ method: '$/cancel_request', params: { requestId: id } }).catch(onFault);
        answer.reject(new Error('nobody waits for it any more'));
      };
      asked.set(id, answer);
      signal.addEventListener('abort', takeBack, { once: true });
      try {
        await send({ id, method, params });
        return await answer.promise;
      } finally {
        asked.delete(id);
        signal.removeEventListener('abort', takeBack);
      }
    },
  };

  async function answer(id: unknown, method: string, params: Fields): Promise<void> {
    try {
      const handler = handlers.requests[method];
      if (!handler) throw new Refused(-32601, `"Method not found": ${method}`, { method });
      await send({ id, result: await handler(params, peer) });
    } catch (error) {
      const code = error instanceof Refused ? error.code : -32603;
      const message = error instanceof Error ? error.message : String(error);
      const data = error instanceof Refused ? error.data : undefined;
      await send({ id, error: { code, message, data } });
    }
  }
  async function hear(method: string, params: Fields): Promise<void> {
    await handlers.notifications[method]?.(params, peer);
  }
  function line(text: string): void {
    let message: Fields;
    try {
      message = fieldsOf(JSON.parse(text));
    } catch {
      const error = { code: -32700, message: 'Parse error' };
      send({ id: null, error }).catch(onFault);
      return;
    }
    const { id, method } = message;
    if (typeof method === 'string') {
      const params = fieldsOf(message['params']);
      (id === undefined ? hear(method, params) : answer(id, method, params)).catch(onFault);
      return;
    }
    const waiting = typeof id === 'number' ? asked.get(id) : undefined;
    if (message['error'] === undefined) waiting?.resolve(message['result']);
    else waiting?.reject(new Error(String(fieldsOf(message['error'])['message'])));
  }

  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) if (text.trim() !== '') line(text);
  }
}
