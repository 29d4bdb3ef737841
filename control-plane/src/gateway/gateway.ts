import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { downstreamHeaders, readBody, upstreamHeaders, type ReadBody } from './body.ts';
import { watchLeaving } from './leaving.ts';
import { createPrices, price } from './prices.ts';
import { probe, type GatewayHealth } from './probe.ts';
import { classify, noticeOf, refusalBody, refusals, type Refusal } from './refusals.ts';
import { modelList, route, type GatewayRoute, type Protocol } from './routes.ts';
import { EventTap } from './stream.ts';
import { createUpstream, readAll } from './upstream.ts';
import { estimate, readUsage, type CallUsage } from './usage.ts';

const limits = {
  requestBytes: 64 * 1024 * 1024,
  answerBytes: 64 * 1024 * 1024,
  errorBytes: 256 * 1024,
  probeEveryMs: 60_000,
  /** After a restart of ours an agent may ask before its runner's link is back: it waits, then it is refused. */
  linkMs: 20_000,
  linkLookMs: 100,
} as const;

/** What the gateway asks of the rest. */
export interface GatewayPorts {
  /** The runner that holds this credential; null: nobody's. */
  authenticate(credential: string): Promise<{ runnerId: string } | null>;
  /** The session as that runner may use it; undefined: not its session. */
  session(runnerId: string, sessionId: string): Promise<{ models: readonly string[] } | undefined>;
  used(
    sessionId: string,
    usage: {
      model: string;
      inputTokens: number;
      outputTokens: number;
      cachedTokens: number;
      costUsd?: string;
    },
  ): void;
  /** Said on the session, at most once a minute for each code. */
  notice(sessionId: string, code: string, text: string): void;
}

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

  function refuse(
    response: ServerResponse,
    protocol: Protocol,
    refusal: Refusal,
    detail?: string,
    headers: Record<string, string> = {},
  ): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const body = JSON.stringify(refusalBody(protocol, refusal, detail));
    response.writeHead(refusals[refusal].status, {
      ...headers,
      'content-type': 'application/json',
    });
    response.end(body);
  }

  function tell(sessionId: string, refusal: Refusal): void {
    const text = noticeOf[refusal];
    if (text !== undefined) ports.notice(sessionId, refusal, text);
  }

  /** Settles a call: tokens, and their price where it is known. */
  function settle(sessionId: string, model: string, usage: CallUsage): void {
    const dollars = price(usage, prices?.of(model));
    ports.used(sessionId, {
      model,
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      cachedTokens: usage.cachedTokens,
      ...(dollars === undefined ? {} : { costUsd: dollars.toFixed(9) }),
    });
  }

  async function forward(
    request: IncomingMessage,
    response: ServerResponse,
    target: Extract<GatewayRoute, { kind: 'generate' | 'count' }>,
    read: Extract<ReadBody, { kind: 'ok' }>,
    sessionId: string,
  ): Promise<void> {
    // A count that cannot be had costs nothing: the agent estimates, and what is wrong is told by the call that follows.
    const told = (refusal: Refusal): void => {
      if (target.kind === 'generate') tell(sessionId, refusal);
    };
    if (upstream === null) {
      told('no-gateway');
      refuse(response, target.protocol, 'no-gateway');
      return;
    }
    const agent = watchLeaving(response);
    const body = JSON.stringify(read.body);
    let answer: IncomingMessage;
    try {
      answer = await upstream.request({
        method: 'POST',
        path: target.path,
        headers: {
          ...upstreamHeaders(request.headers),
          'content-type': 'application/json',
          'x-litellm-session-id': sessionId,
          'x-litellm-trace-id': sessionId,
        },
        body,
        begun: (end) => agent.ends(end),
      });
    } catch (error) {
      if (agent.gone) return;
      logger.warn({ err: error, sessionId }, 'the model gateway could not be reached');
      told('gateway-unreachable');
      refuse(response, target.protocol, 'gateway-unreachable');
      return;
    }
    const status = answer.statusCode ?? 500;
    if (status < 200 || status > 299) {
      const text = (await readAll(answer, limits.errorBytes)).toString();
      const refusal = classify(status, text);
      logger.warn(
        { sessionId, status, refusal, model: read.model },
        'the model gateway refused a call',
      );
      told(refusal);
      const retryAfter = answer.headers['retry-after'] ?? '5';
      refuse(
        response,
        target.protocol,
        refusal,
        undefined,
        refusal === 'rate-limited' ? { 'retry-after': retryAfter } : {},
      );
      return;
    }
    if (/^text\/event-stream/.test(answer.headers['content-type'] ?? ''))
      await stream(response, answer, target.protocol, read, sessionId, Buffer.byteLength(body));
    else await whole(response, answer, target, read, sessionId);
  }

  async function stream(
    response: ServerResponse,
    answer: IncomingMessage,
    protocol: Protocol,
    read: Extract<ReadBody, { kind: 'ok' }>,
    sessionId: string,
    requestBytes: number,
  ): Promise<void> {
    const tap = new EventTap(protocol, read.addedUsage);
    response.writeHead(200, { ...downstreamHeaders(answer.headers), 'x-accel-buffering': 'no' });
    response.flushHeaders();
    try {
      await pipeline(answer, tap, response);
    } catch (error) {
      // A connection closed after the terminal event is how several clients end a call.
      if (!tap.terminal)
        logger.info({ err: error, sessionId, model: read.model }, 'a model stream was cut');
    } finally {
      if (tap.usage !== null || !tap.terminal)
        settle(sessionId, read.model, tap.usage ?? estimate(requestBytes, tap.bytes));
    }
  }

  async function whole(
    response: ServerResponse,
    answer: IncomingMessage,
    target: Extract<GatewayRoute, { kind: 'generate' | 'count' }>,
    read: Extract<ReadBody, { kind: 'ok' }>,
    sessionId: string,
  ): Promise<void> {
    const bytes = await readAll(answer, limits.answerBytes);
    response.writeHead(200, {
      ...downstreamHeaders(answer.headers),
      'content-length': String(bytes.length),
    });
    response.end(bytes);
    if (target.kind === 'count') return;
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch (error) {
      logger.warn(
        { err: error, sessionId },
        'the model gateway answered something that is not JSON',
      );
      return;
    }
    const usage = readUsage(target.protocol, value, null);
    if (usage !== null) settle(sessionId, read.model, usage);
  }

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
    await forward(request, response, target, read, sessionId);
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
