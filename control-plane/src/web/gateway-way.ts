import type { IncomingMessage, ServerResponse } from 'node:http';
import { contextOf } from './context.ts';

const prefix = '/gateway';

/**
 * Model calls go past Express and all that is for people and their browsers: an agent waits for each of them, and those layers would take as long as the rest of
 * the way. False: not for the gateway, or not by a name of ours, which Express refuses as it does elsewhere.
 */
export function createGatewayWay(parts: {
  context: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  ours: (host: string | undefined) => boolean;
  draining: () => boolean;
  handle: (request: IncomingMessage, response: ServerResponse) => unknown;
}): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const url = request.url ?? '';
    if (!url.startsWith(`${prefix}/`) || !parts.ours(request.headers.host)) return false;
    parts.context(request, response, () => {
      contextOf(request).route = prefix;
      if (parts.draining()) response.setHeader('Connection', 'close');
      request.url = url.slice(prefix.length);
      parts.handle(request, response);
    });
    return true;
  };
}
