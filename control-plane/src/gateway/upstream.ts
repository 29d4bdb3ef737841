import http from 'node:http';
import https from 'node:https';

/** LiteLLM, as the operator named it. The key stays in here. */
export interface Upstream {
  readonly origin: string;
  request(options: {
    method: string;
    path: string;
    headers: Record<string, string>;
    body?: Buffer;
    signal?: AbortSignal;
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
    request: ({ method, path, headers, body, signal }) =>
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
            ...(body === undefined ? {} : { 'content-length': String(body.length) }),
          },
          ...(signal === undefined ? {} : { signal }),
        });
        request.setNoDelay(true);
        request.on('error', failed);
        request.on('response', answered);
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** Reads an answer whole, at most `limitBytes`; the rest is thrown away. */
export async function readAll(message: http.IncomingMessage, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    if (size < limitBytes) parts.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(parts).subarray(0, limitBytes);
}
