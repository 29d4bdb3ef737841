import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { NextFunction, Request, Response } from 'express';
import express from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Problem } from '@berth/contract';
import type { Agents } from '../agents/index.ts';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { Identity } from '../identity/index.ts';
import type { Approvals, EventLog, Sessions, Turns } from '../sessions/index.ts';
import { createProblemAnswer } from './answer.ts';
import { createAuth } from './auth.ts';
import { createContext } from './context.ts';
import { mountDashboard } from './dashboard.ts';
import { createEventStreams } from './event-stream.ts';
import { createGatewayWay } from './gateway-way.ts';
import { createHosts } from './hosts.ts';
import { createHub } from './hub.ts';
import { createIdempotency } from './idempotency.ts';
import type { Sql } from './idempotency.store.ts';
import { limits } from './limits.ts';
import { createWebMetrics } from './metrics.ts';
import { createMount, mountMethodNotAllowed } from './mount.ts';
import type {
  HarnessesPort,
  HttpHandler,
  MetaSource,
  RunnersPort,
  TerminalsPort,
  WorkspacesPort,
} from './ports.ts';
import { refuseRaw } from './raw-answer.ts';
import { mountAgents } from './routes/agents.ts';
import { mountEvents } from './routes/events.ts';
import { mountIdentity } from './routes/identity.ts';
import { mountServer } from './routes/server.ts';
import { mountSessions } from './routes/sessions.ts';
import { mountTurns } from './routes/turns.ts';
import { mountWorkspace } from './routes/workspace.ts';
import { createSockets } from './sockets.ts';

export interface WebOptions {
  /** `publicUrl`: what browsers and runners use; `listenHost`: a name that `listen` was given and clients may use. */
  config: {
    publicUrl?: string | undefined;
    listenHost?: string | undefined;
    replicaUrl?: string | undefined;
    /** Only probes and the other processes of the control plane are answered. */
    closed?: boolean;
  };
  logger: Logger;
  clock: Clock;
  newId: NewId;
  store: { pool: Sql };
  identity: Identity;
  agents: Agents;
  harnesses: HarnessesPort;
  sessions: Sessions;
  turns: Turns;
  approvals: Approvals;
  log: EventLog;
  terminals: TerminalsPort;
  workspaces: WorkspacesPort;
  gateway: HttpHandler;
  /** Where other processes of the control plane knock. False: the request is not theirs. */
  internal: (request: IncomingMessage, response: ServerResponse) => boolean;
  runners: RunnersPort;
  meta: MetaSource;
  metrics: Registry;
  webviewDir: string;
  /** Why this process cannot serve yet; empty: it can. */
  ready: () => Promise<string[]>;
}

export interface Web extends AsyncDisposable {
  listen(port: number, host: string): Promise<{ url: string }>;
  /** Sockets and streams of viewers are told to come back: what they saw may be old. A terminal's bytes never are, so it may be left as it is. */
  comeBack(only?: 'channels'): void;
  /** Stops accepting; sockets and streams are told to come back elsewhere; requests that run may end within `ms`. */
  drain(ms: number): Promise<void>;
  /** The Express application, for the test that it has exactly the routes of the contract. */
  readonly app: express.Express;
}

const wait = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
const probes = new Set(['/healthz', '/readyz', '/metrics']);

export function createWeb(options: WebOptions): Web {
  const { clock, newId, identity, log, sessions, turns, approvals, terminals } = options;
  const logger = options.logger.child({ part: 'web' });
  const hosts = createHosts(options.config);
  const metrics = createWebMetrics(options.metrics);
  const auth = createAuth({ identity, hosts, clock, sql: options.store.pool });
  const idempotency = createIdempotency({ sql: options.store.pool, clock, newId: options.newId });
  const hub = createHub({ sessions, approvals, logger });
  const streams = createEventStreams({ log, metrics, logger });
  const sockets = createSockets({ ...options, auth, hosts, hub, metrics, logger });
  const draining = new AbortController();
  const answerProblem = createProblemAnswer(logger);

  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', false);
  app.set('case sensitive routing', true);
  app.set('strict routing', true);

  const context = createContext({ logger, clock, newId, metrics });
  app.use(context);
  app.use((request, response, next) => {
    const { host } = request.headers;
    if (!(probes.has(request.path) ? hosts.probe(host) : hosts.ours(host)))
      throw new Problem('host-refused', 'This server has another name.');
    if (draining.signal.aborted) response.setHeader('Connection', 'close');
    if (options.config.closed === true && !probes.has(request.path))
      throw new Problem('not-found', 'This process serves no one but its like.');
    next();
  });
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { 'default-src': [`'none'`], 'frame-ancestors': [`'none'`], sandbox: [] },
      },
      strictTransportSecurity: options.config.publicUrl?.startsWith('https:') ?? false,
    }),
  );
  const mount = createMount({ app, auth, idempotency });
  mountServer(mount, { ...options, draining: () => draining.signal.aborted });
  mountIdentity(mount, { identity, hosts });
  mountAgents(mount, options.agents);
  mountSessions(mount, { sessions, turns, log });
  mountTurns(mount, { turns, approvals, draining: draining.signal });
  mountEvents(mount, { log, streams });
  mountWorkspace(mount, { terminals, workspaces: options.workspaces });
  mountMethodNotAllowed(app);
  mountDashboard(app, { auth, identity, hosts, webviewDir: options.webviewDir });

  app.use(() => {
    throw new Problem('not-found', 'There is nothing here.');
  });
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerProblem(request, response, error);
  });

  const toGateway = createGatewayWay({
    context,
    ours: (host) => hosts.ours(host),
    draining: () => draining.signal.aborted,
    handle: options.gateway,
  });
  const server = createServer(
    // A large archive on a slow line takes as long as it takes; only its head must come in time.
    { requestTimeout: 0, headersTimeout: limits.headersTimeoutMs, keepAliveTimeout: 65_000 },
    (request, response) => {
      if (options.internal(request, response) || toGateway(request, response)) return;
      app(request, response);
    },
  );
  // Node does not count what was upgraded, nor close it: a runner's link would keep `close` waiting for ever.
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    if (options.config.closed === true)
      refuseRaw(socket, new Problem('not-found', 'There is no socket here.'));
    else sockets.upgrade(request, socket, head);
  });
  const running = new Set<ServerResponse>();
  let whenIdle: (() => void) | undefined;
  server.on('request', (_request, response: ServerResponse) => {
    running.add(response);
    response.once('close', () => {
      running.delete(response);
      if (running.size === 0) whenIdle?.();
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET') socket.destroy();
    else refuseRaw(socket, new Problem('invalid-request', 'This is not HTTP as we know it.'));
  });

  const sweep = async (): Promise<void> => {
    try {
      await idempotency.sweep();
      await auth.sweep();
    } catch (error) {
      logger.warn({ err: error }, 'sweep failed; the next one does its work');
    }
  };
  let sweeping = Promise.resolve();
  const sweeper = setInterval(() => {
    sweeping = sweeping.then(sweep);
  }, limits.sweepEveryMs);
  sweeper.unref();

  let closed: Promise<void> | undefined;
  function close(): Promise<void> {
    closed ??= (async () => {
      clearInterval(sweeper);
      // Draining has closed it to new connections already; those that are left end here.
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      sockets.close();
      for (const socket of upgraded) socket.destroy();
      server.closeAllConnections();
      await Promise.all([ended, sweeping, hub.close()]);
    })();
    return closed;
  }

  return {
    app,
    async listen(port, host) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      });
      const { port: bound } = server.address() as AddressInfo;
      const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
      return { url: `http://${name.includes(':') ? `[${name}]` : name}:${bound}` };
    },
    comeBack(only) {
      sockets.comeBack(only);
      streams.close();
    },
    async drain(ms) {
      draining.abort();
      sockets.drain();
      streams.close();
      server.close();
      if (running.size > 0) {
        const late = new AbortController();
        const idle = new Promise<void>((resolve) => {
          whenIdle = resolve;
        });
        await Promise.race([idle, wait(ms, late.signal)]);
        late.abort();
      }
      server.closeAllConnections();
    },
    [Symbol.asyncDispose]: close,
  };
}
