import type * as z from 'zod/mini';
import { safeParse } from 'zod/mini';
import { AnswerNotUnderstood, ServerUnreachable, problemFromAnswer } from './errors.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;
export type ByteSource = Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the server's root, ids already encoded. */
  path: string;
  query?: Query | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** JSON, unless `bytes` is given. */
  body?: unknown;
  bytes?: ByteSource | undefined;
  signal?: AbortSignal | undefined;
}
export interface RequestOptions {
  signal?: AbortSignal | undefined;
}
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Requests {
  /** The answer when it is 2xx; throws the refusal otherwise. */
  raw(call: Call): Promise<Response>;
  json<T extends z.ZodMiniType>(call: Call, schema: T): Promise<z.infer<T>>;
  /** No content expected; a body is read and dropped. */
  nothing(call: Call): Promise<void>;
}

function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Pulled chunk by chunk, so that the source waits for the network. */
function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

type Body = NonNullable<RequestInit['body']>;
function bodyOf(bytes: ByteSource): RequestInit {
  if (bytes instanceof Uint8Array || bytes instanceof Blob) return { body: bytes as Body };
  const stream = bytes instanceof ReadableStream ? bytes : streamOf(bytes);
  // `duplex` is what the fetch standard wants for a body that is still growing; DOM's types lack it.
  return { body: stream as Body, ...{ duplex: 'half' } };
}

export function createRequests(options: {
  url: string;
  token: () => string | undefined;
  fetch: Fetch;
}): Requests {
  async function raw(call: Call): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json', ...call.headers };
    const token = options.token();
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    let payload: RequestInit = {};
    if (call.bytes !== undefined) payload = bodyOf(call.bytes);
    else if (call.body !== undefined) {
      headers['content-type'] = 'application/json';
      payload = { body: JSON.stringify(call.body) };
    }
    const init: RequestInit = { method: call.method, headers, ...payload };
    if (call.signal !== undefined) init.signal = call.signal;
    let response: Response;
    try {
      response = await options.fetch(options.url + withQuery(call.path, call.query), init);
    } catch (error) {
      if (call.signal?.aborted === true) throw error;
      throw new ServerUnreachable(options.url, reasonOf(error), error);
    }
    if (response.ok) return response;
    throw problemFromAnswer(options.url, response.status, await textOf(response));
  }

  async function textOf(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw new ServerUnreachable(options.url, 'broke off its answer', error);
    }
  }

  return {
    raw,
    async json(call, schema) {
      const text = await textOf(await raw(call));
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        throw new AnswerNotUnderstood(`${call.method} ${call.path}: the answer is not JSON`, {
          cause: error,
        });
      }
      const parsed = safeParse(schema, value);
      if (parsed.success) return parsed.data;
      const issue = parsed.error.issues[0];
      const where = issue === undefined ? '' : ` at /${issue.path.map(String).join('/')}`;
      throw new AnswerNotUnderstood(
        `${call.method} ${call.path}: the answer does not fit the contract${where}`,
        { cause: parsed.error },
      );
    },
    async nothing(call) {
      await (await raw(call)).body?.cancel();
    },
  };
}

/** Node's fetch hides the reason (ECONNREFUSED …) in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'did not answer';
  const cause = error.cause;
  if (cause instanceof Error) {
    const code: unknown = Reflect.get(cause, 'code');
    return `did not answer (${typeof code === 'string' ? code : cause.message})`;
  }
  return `did not answer (${error.message})`;
}
