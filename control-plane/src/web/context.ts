import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { WebMetrics } from './metrics.ts';

/** What we know of a request besides what the client says. `route` is the pattern: paths can hold secrets. */
export interface Context {
  readonly requestId: string;
  route: string;
  userId?: string;
}
const contexts = new WeakMap<object, Context>();
export function contextOf(request: object): Context {
  const context = contexts.get(request);
  if (context === undefined) throw new Error('the request came past the context');
  return context;
}

const quiet = new Set(['/healthz', '/readyz', '/metrics', '/gateway', '/assets']);

/** Names every request, counts it, and writes one line about it, without query, headers or bodies. */
export function createContext({
  logger,
  clock,
  newId,
  metrics,
}: {
  logger: Logger;
  clock: Clock;
  newId: NewId;
  metrics: WebMetrics;
}) {
  return (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    const context: Context = { requestId: newId(), route: 'unknown' };
    contexts.set(request, context);
    response.setHeader('X-Request-Id', context.requestId);
    const startedAt = clock.now();
    response.once('close', () => {
      const ms = clock.now() - startedAt;
      const { method = '' } = request;
      const { route, requestId, userId } = context;
      const status = response.headersSent ? response.statusCode : 499;
      metrics.requests.observe({ method, route, status }, ms / 1000);
      const line = { requestId, method, route, status, ms, userId };
      if (quiet.has(route)) logger.debug(line, 'request');
      else logger.info(line, 'request');
    });
    next();
  };
}
