import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { readBody } from './body.ts';
import { createForward } from './forward.ts';
import type { GatewayPorts } from './ports.ts';
import { createPrices } from './prices.ts';
import { probe, type GatewayHealth } from './probe.ts';
import { refuse } from './refuse.ts';
import { modelList, route, type Protocol } from './routes.ts';
import { createUpstream, readAll } from './upstream.ts';

const limits = {
  requestBytes: 64 * 1024 * 1024,
  probeEveryMs: 60_000,
  /** After a restart of ours an agent may ask before its runner's link is back: it waits, then it is refused. */
  linkMs: 20_000,
  linkLookMs: 100,
} as const;

export interface Gateway extends AsyncDisposable {
  handle(request: IncomingMessage, response: ServerResponse): void;
  health(): GatewayHealth;
}

/**
 * Model traffic of the sandboxes, on its way to LiteLLM. Reached only through a runner, which says whose session it is; the agent holds no key, and ours is added here.
 */
export function createGateway(options: {
  url?: string;
  key?: string;
  clock: Clock;
  logger: Logger;
  ports: GatewayPorts;
  linkMs?: number;
}): Gateway {
  const { clock, ports, linkMs = limits.linkMs } = options;
  const logger = options.logger.child({ part: 'gateway' });
  const upstream =
    options.url === undefined ? null : createUpstream({ url: options.url, key: options.key ?? '' });
  const prices = upstream === null ? null : createPrices({ upstream, clock, logger });
  let health: GatewayHealth = {
    configured: upstream !== null,
    reachable: false,
    virtualKeys: false,
  };
  let probing = Promise.resolve();
  const look = (): void => {
    if (upstream === null) return;
    probing = probing.then(async () => {
      health = await probe(upstream, logger);
      // The first call shall find its price.
      if (health.reachable) prices?.of('');
    });
  };
  look();
  const timer = setInterval(look, limits.probeEveryMs);
  timer.unref();
  const forward = createForward({ upstream, prices, ports, logger });

  /** The session, once its runner's link is there. */
  async function served(
    runnerId: string,
    sessionId: string,
    request: IncomingMessage,
  ): ReturnType<GatewayPorts['session']> {
    const end = clock.now() + linkMs;
    for (;;) {
      const found = await ports.session(runnerId, sessionId);
      if (found !== undefined || request.destroyed || clock.now() >= end) return found;
      await pause(limits.linkLookMs);
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = route(request.method ?? 'GET', request.url ?? '/');
    const protocol: Protocol = target?.protocol ?? 'chat';
    const credential = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const sessionId = request.headers['x-berth-session'];
    const runner = credential === undefined ? null : await ports.authenticate(credential);
    const session =
      runner === null || typeof sessionId !== 'string'
        ? undefined
        : await served(runner.runnerId, sessionId, request);
    if (session === undefined || typeof sessionId !== 'string') {
      refuse(response, protocol, 'no-session');
      return;
    }
    if (target === null) {
      refuse(response, protocol, 'no-route');
      return;
    }
    if (target.kind === 'models') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(modelList(protocol, session.models)));
      return;
    }
    if (target.kind === 'hello') {
      response.writeHead(200);
      response.end();
      return;
    }
    const bytes = await readAll(request, limits.requestBytes + 1);
    if (bytes.length > limits.requestBytes) {
      refuse(response, protocol, 'too-large');
      return;
    }
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch {
      refuse(response, protocol, 'bad-request', 'The body is not JSON.');
      return;
    }
    const read = readBody(protocol, value, target);
    if (read.kind === 'refused') {
      refuse(response, protocol, 'bad-request', read.reason);
      return;
    }
    if (!session.models.includes(read.model)) {
      ports.notice(
        sessionId,
        'model-not-allowed',
        `The agent asked for the model ${read.model.slice(0, 100)}, which is not its own.`,
      );
      refuse(response, protocol, 'model-not-allowed');
      return;
    }
    await forward(request, response, { target, read, sessionId });
  }

  return {
    handle: (request, response) => {
      response.on('error', (error) =>
        logger.debug({ err: error }, 'an agent left in the middle of an answer'),
      );
      serve(request, response).catch((error: unknown) => {
        if (request.destroyed && !request.complete) return; // the agent left while it was still asking
        logger.error({ err: error }, 'the gateway route failed');
        refuse(response, 'chat', 'gateway-failed');
      });
    },
    health: () => health,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      upstream?.close();
      await probing;
    },
  };
}
