import type { Connect, Fetch } from '@berth/client';
import { systemClock } from '../common/clock.ts';
import { createWire } from '../node/trust.ts';
import type { Log } from './log.ts';
import { settings } from './settings.ts';

/** Requests and sockets with the headers that a proxy in front of the server may want. Ours go last: a setting cannot replace them. */
export function createHttp(log: Log): { fetch: Fetch; connect: Connect } {
  const wire = createWire(settings.caFile);
  return {
    async fetch(url, init) {
      const headers = new Headers(settings.serverHeaders());
      new Headers(init.headers).forEach((value, name) => headers.set(name, value));
      const startedAt = systemClock.now();
      const response = await wire.fetch(url, { ...init, headers });
      if (settings.logHttp())
        log.info(
          `${init.method ?? 'GET'} ${new URL(url).pathname} ${response.status} ${systemClock.now() - startedAt} ms`,
        );
      return response;
    },
    connect: (url, protocols, headers, handlers) =>
      wire.connect(url, protocols, { ...settings.serverHeaders(), ...headers }, handlers),
  };
}
