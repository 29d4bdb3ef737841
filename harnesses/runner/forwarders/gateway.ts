import http from 'node:http';
import https from 'node:https';
import { limits } from '../limits.ts';

export interface Upstream {
  /** The control plane as it is now: `link.json` may have changed. */
  url: string;
  credential: string;
}

/** Pure. Which of the gateway's families a path of the agent belongs to; null: none. */
export function familyOf(path: string): 'openai' | 'anthropic' | 'gemini' | null {
  const { pathname } = new URL(path, 'http://agent.invalid');
  if (pathname === '/v1/messages' || pathname.startsWith('/v1/messages/')) return 'anthropic';
  if (pathname === '/' || pathname === '/api/hello') return 'anthropic'; // Claude Code looks whether anybody is there
  if (pathname.startsWith('/v1beta/')) return 'gemini';
  return pathname.startsWith('/v1/') ? 'openai' : null;
}

const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
]);
/** Whatever an agent believes to be its key, and what only we may say. */
const notItsOwn = (name: string): boolean =>
  /^(authorization|cookie|host|x-api-key|api-key|x-goog-api-key|x-litellm-.*|x-berth-.*|forwarded|x-forwarded-.*)$/.test(
    name,
  );

/** Pure. The headers that go on, in either direction. */
export function passing(
  headers: http.IncomingHttpHeaders,
  direction: 'up' | 'down',
): http.OutgoingHttpHeaders {
  const named = new Set(
    (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()),
  );
  const out: http.OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || hopByHop.has(name) || named.has(name)) continue;
    if (direction === 'up' && notItsOwn(name)) continue;
    if (direction === 'down' && name === 'set-cookie') continue;
    out[name] = value;
  }
  return out;
}

/**
 * The sandbox's model port, on our side: adds the session's identity and passes bytes as they come, without a limit of time. A control plane that
 * restarts is waited for, so that the agent sees a slow answer and not an error.
 */
export function createGatewayForwarder(options: {
  sessionId: string;
  upstream: () => Upstream | null;
  log: (fields: Record<string, unknown>, message: string) => void;
}): { server: http.Server; close(): void } {
  const { sessionId, upstream, log } = options;
  const agents = {
    'http:': new http.Agent({ keepAlive: true, maxFreeSockets: 16 }),
    'https:': new https.Agent({ keepAlive: true, maxFreeSockets: 16 }),
  };
  const server = http.createServer({ keepAliveTimeout: 60_000 }, handle);
  server.requestTimeout = 0;
  server.timeout = 0;
  server.on('clientError', (_error, socket) => socket.destroy());

  function handle(request: http.IncomingMessage, response: http.ServerResponse): void {
    const path = request.url ?? '/';
    const family = URL.canParse(path, 'http://agent.invalid') ? familyOf(path) : null;
    if (family === null || !path.startsWith('/')) {
      refuse(response, 404, 'not a model route of Berth');
      return;
    }
    const headers = passing(request.headers, 'up');
    let waitedMs = 0;
    let gone = false;
    let current: http.ClientRequest | undefined;
    response.on('close', () => {
      gone = true;
      if (!response.writableFinished) current?.destroy();
    });

    const tryOnce = (): void => {
      if (gone) return;
      const target = upstream();
      if (target === null) {
        later('not configured');
        return;
      }
      const url = new URL(`/gateway/${family}${path}`, target.url);
      const secure = url.protocol === 'https:';
      const outgoing = (secure ? https : http).request(url, {
        method: request.method,
        agent: agents[secure ? 'https:' : 'http:'],
        headers: {
          ...headers,
          authorization: `Bearer ${target.credential}`,
          'x-berth-session': sessionId,
        },
      });
      current = outgoing;
      let begun = false;
      const begin = (): void => {
        begun = true;
        request.pipe(outgoing);
      };
      outgoing.on('socket', (socket) => {
        socket.setNoDelay(true);
        if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', begin);
        else begin();
      });
      outgoing.on('response', (incoming) => {
        response.writeHead(incoming.statusCode ?? 502, passing(incoming.headers, 'down'));
        response.flushHeaders();
        incoming.on('error', () => cutOff(response, family, incoming.headers['content-type']));
        incoming.pipe(response);
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (gone) return;
        if (!begun) {
          later(error.code ?? error.message);
          return;
        }
        log({ sessionId, code: error.code }, 'gateway request failed');
        if (response.headersSent) response.destroy();
        else refuse(response, 502, 'the gateway went away');
      });
    };
    const later = (reason: string): void => {
      waitedMs += limits.gatewayRetryMs;
      if (waitedMs < limits.gatewayWaitMs) setTimeout(tryOnce, limits.gatewayRetryMs);
      else {
        log({ sessionId, reason }, 'no control plane for a model request');
        refuse(response, 503, 'the control plane is away');
      }
    };
    tryOnce();
  }

  return {
    server,
    close() {
      server.close();
      server.closeAllConnections();
      agents['http:'].destroy();
      agents['https:'].destroy();
    },
  };
}

/**
 * The gateway went away in the middle of its answer. An agent sees that by the connection, and asks again. Gemini CLI takes that for the end of its turn;
 * an error among the events, as its protocol has it, it takes as what it is.
 */
function cutOff(response: http.ServerResponse, family: string, type = ''): void {
  if (response.destroyed) return;
  if (family !== 'gemini' || !type.startsWith('text/event-stream')) {
    response.destroy();
    return;
  }
  const message = 'Berth: the gateway went away';
  response.end(JSON.stringify({ error: { code: 503, message, status: 'UNAVAILABLE' } }));
}

function refuse(response: http.ServerResponse, status: number, detail: string): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(
    JSON.stringify({ error: { message: `Berth: ${detail}`, type: 'berth', code: status } }),
  );
}
