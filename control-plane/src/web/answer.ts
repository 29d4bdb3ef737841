import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { Problem } from '@berth/contract';
import { contextOf } from './context.ts';
import { problemOf, Refusal } from './refusals.ts';
import type { Request, Response } from 'express';

export interface Reply {
  status: number;
  /** JSON, unless `type` says otherwise. */
  body?: string;
  type?: string;
  headers?: Record<string, string>;
}

export const json = (
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): Reply => ({ status, body: JSON.stringify(value), headers });
export const empty: Reply = { status: 204 };
export const versioned = (thing: { version: number }): Record<string, string> => ({
  ETag: `"${thing.version}"`,
});

/** Not Express's `send`: that answers 304 to a version's tag although the rest of the thing may have moved on. */
export function answer(response: ServerResponse, reply: Reply): void {
  response.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.body === undefined) {
    response.end();
    return;
  }
  const bytes = Buffer.from(reply.body);
  response.setHeader('Content-Type', reply.type ?? 'application/json; charset=utf-8');
  response.setHeader('Content-Length', bytes.length);
  if (response.req.method === 'HEAD') response.end();
  else response.end(bytes);
}

/** What was under way for a client that left was given up: a stream, or a wait. */
const isAbandoned = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'AbortError' || ('code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'));

/** The one place where an error becomes an answer. What nobody foresaw is logged once, and says nothing of its insides. */
export function createProblemAnswer(logger: Logger) {
  return (request: Request, response: Response, error: unknown): void => {
    const { requestId, route } = contextOf(request);
    let problem = problemOf(error);
    const left = response.destroyed;
    if (left && (problem !== null || isAbandoned(error))) {
      logger.debug({ err: error, requestId, route }, 'the client went away');
      return;
    }
    if (problem === null) {
      logger.error({ err: error, requestId, route }, 'request failed unexpectedly');
      problem = new Problem('internal-error', 'This was not your fault; the log has more.');
    }
    if (left || response.headersSent) {
      // Half an answer cannot become a problem; a cut connection says that it is not whole.
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) {
      if (['etag', 'content-length', 'content-disposition', 'location'].includes(name))
        response.removeHeader(name);
    }
    const headers = problem instanceof Refusal ? problem.headers : {};
    answer(response, {
      status: problem.status,
      type: 'application/problem+json; charset=utf-8',
      body: JSON.stringify(problem.toBody(requestId)),
      headers: {
        ...headers,
        ...(problem.code === 'not-signed-in' ? { 'WWW-Authenticate': 'Bearer' } : {}),
      },
    });
  };
}
