import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { downstreamHeaders, upstreamHeaders, type ReadBody } from './body.ts';
import { watchLeaving } from './leaving.ts';
import type { GatewayPorts } from './ports.ts';
import { price, type Prices } from './prices.ts';
import { classify, noticeOf, type Refusal } from './refusals.ts';
import { refuse } from './refuse.ts';
import type { GatewayRoute } from './routes.ts';
import { EventTap } from './stream.ts';
import { readAll, type Upstream } from './upstream.ts';
import { estimate, readUsage, type CallUsage } from './usage.ts';

const limits = {
  answerBytes: 64 * 1024 * 1024,
  errorBytes: 256 * 1024,
} as const;

/** One that its session may make. */
export interface Call {
  readonly target: Extract<GatewayRoute, { kind: 'generate' | 'count' }>;
  readonly read: Extract<ReadBody, { kind: 'ok' }>;
  readonly sessionId: string;
}

/** Sends a call on to LiteLLM, gives its answer back as it comes, and settles what it cost. `upstream` null: there is none. */
export function createForward(options: {
  upstream: Upstream | null;
  prices: Prices | null;
  ports: Pick<GatewayPorts, 'used' | 'notice'>;
  logger: Logger;
}) {
  const { upstream, prices, ports, logger } = options;

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
    call: Call,
  ): Promise<void> {
    const { target, read, sessionId } = call;
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
      await stream(response, answer, call, Buffer.byteLength(body));
    else await whole(response, answer, call);
  }

  async function stream(
    response: ServerResponse,
    answer: IncomingMessage,
    { target, read, sessionId }: Call,
    requestBytes: number,
  ): Promise<void> {
    const tap = new EventTap(target.protocol, read.addedUsage);
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
    { target, read, sessionId }: Call,
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

  return forward;
}
