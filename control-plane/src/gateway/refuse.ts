import type { ServerResponse } from 'node:http';
import { refusalBody, refusals, type Refusal } from './refusals.ts';
import type { Protocol } from './routes.ts';

/** Says no in the words of the protocol; an answer that has begun can only be broken off. */
export function refuse(
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
