import type { Request, RequestHandler, Response } from 'express';
import express from 'express';
import { Problem } from '@berth/contract';
import type { Route } from '@berth/contract/routes';
import { bodyLimits } from '@berth/contract/routes';
import { invalid } from './refusals.ts';

const raw = new WeakMap<object, Uint8Array>();
/** The bytes of a JSON body as they came, for the idempotency key's hash. */
export const rawBodyOf = (request: object): Uint8Array => raw.get(request) ?? new Uint8Array();

const parsers = new Map<number, RequestHandler>();
function parserFor(maxBytes: number) {
  let parser = parsers.get(maxBytes);
  if (parser === undefined) {
    parser = express.json({
      limit: maxBytes,
      strict: false,
      inflate: false,
      type: () => true,
      verify: (request, _response, bytes) => {
        raw.set(request, bytes);
      },
    });
    parsers.set(maxBytes, parser);
  }
  return parser;
}

export const hasBody = (request: Request): boolean =>
  request.headers['transfer-encoding'] !== undefined ||
  (request.headers['content-length'] ?? '0') !== '0';
const mediaType = (request: Request): string =>
  (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

function wantMediaType(request: Request, types: readonly string[], optional: boolean): void {
  const type = mediaType(request);
  if (types.includes(type) || (optional && type === '')) return;
  throw new Problem('unsupported-media-type', `Send it as ${types.join(' or ')}.`);
}

/** The parsed body; undefined when there is none and none is needed. Streams are left unread. */
export async function readBody(
  request: Request,
  response: Response,
  route: Route,
): Promise<unknown> {
  if (route.stream !== undefined) {
    wantMediaType(request, route.stream, true);
    if (request.headers['content-encoding'] !== undefined)
      throw new Problem('unsupported-media-type', 'Send it without a content encoding.');
    return undefined;
  }
  if (route.body === undefined) {
    // Some clients always send `{}`; anything longer was meant for another call.
    if (Number(request.headers['content-length'] ?? 0) > 2)
      throw invalid('This call takes no body.', [{ pointer: '', detail: 'is not known here' }]);
    return undefined;
  }
  if (!hasBody(request)) {
    if (route.body.optional === true) return undefined;
    throw invalid('A JSON body is needed.', [{ pointer: '', detail: 'is required' }]);
  }
  wantMediaType(request, ['application/json'], false);
  const parser = parserFor(route.body.maxBytes ?? bodyLimits.defaultBytes);
  await new Promise<void>((resolve, reject) => {
    parser(request, response, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error('the body parser failed'));
    });
  });
  const body: unknown = request.body;
  return body;
}
