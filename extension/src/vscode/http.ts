import type { Connect, Fetch } from '@berth/client';
import { connectNode } from '@berth/client/node';
import { systemClock } from '../common/clock.ts';
import type { Log } from './log.ts';
import { settings } from './settings.ts';

/** Requests and sockets with the headers that a proxy in front of the server may want. Ours go last: a setting cannot replace them. */
export function createHttp(log: Log): { fetch: Fetch; connect: Connect } {
  return {
    async fetch(url, init) {
      const headers = new Headers(settings.serverHeaders());
      new Headers(init.headers).forEach((value, name) => headers.set(name, value));
      const startedAt = systemClock.now();
      const response = await fetch(url, { ...init, headers });
      if (settings.logHttp())
        log.info(
          `${init.method ?? 'GET'} ${new URL(url).pathname} ${response.status} ${systemClock.now() - startedAt} ms`,
        );
      return response;
    },
    connect: (url, protocols, headers, handlers) =>
      connectNode(url, protocols, { ...settings.serverHeaders(), ...headers }, handlers),
  };
}
