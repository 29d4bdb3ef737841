import http from 'node:http';
import https from 'node:https';

/** LiteLLM, as the operator named it. The key stays in here. */
export interface Upstream {
  readonly origin: string;
  request(options: {
    method: string;
    path: string;
    headers: Record<string, string>;
    body?: string;
    signal?: AbortSignal;
    /** Calls back with the way to end the call early: cheaper than a signal, and the route is taken often. */
    begun?: (end: () => void) => void;
  }): Promise<http.IncomingMessage>;
  close(): void;
}

/** No time limits: a model may think for many minutes before its first byte. Who gives up is the agent, by closing its connection. */
export function createUpstream(options: { url: string; key: string }): Upstream {
  const base = new URL(options.url);
  const secure = base.protocol === 'https:';
  const agent = secure
    ? new https.Agent({ keepAlive: true, maxSockets: 512 })
    : new http.Agent({ keepAlive: true, maxSockets: 512 });
  const prefix = base.pathname.replace(/\/$/, '');
  return {
    origin: base.origin,
    request: ({ method, path, headers, body, signal, begun }) =>
      new Promise((answered, failed) => {
        const request = (secure ? https : http).request({
          agent,
          hostname: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port === '' ? (secure ? 443 : 80) : Number(base.port),
          method,
          path: prefix + path,
          headers: {
            ...headers,
            host: base.host,
            authorization: `Bearer ${options.key}`,
            ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          },
          ...(signal === undefined ? {} : { signal }),
        });
        request.setNoDelay(true);
        request.on('error', failed);
        request.on('response', answered);
        begun?.(() => request.destroy());
        // A string goes with its head in one write.
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Reads an answer whole, at most `limitBytes`; the rest is thrown away. Rejects when it is cut. */
export function readAll(message: http.IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      if (size < limitBytes) parts.push(chunk);
      size += chunk.length;
    });
    message.once('end', () => {
      const [only, ...more] = parts;
      const all = only !== undefined && more.length === 0 ? only : Buffer.concat(parts);
      resolve(all.subarray(0, limitBytes));
    });
    const cut = (): void => {
      if (!message.readableEnded) reject(new Error('cut off in the middle'));
    };
    message.on('error', reject);
    message.once('close', cut);
    if (message.destroyed) cut();
  });
}
