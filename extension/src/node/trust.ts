import type { Connect, Fetch } from '@berth/client';
import {
  connectNode,
  connectTrusting,
  fetchTrusting,
  readCaFile,
  withUsual,
} from '@berth/client/node';

export interface Wire {
  readonly fetch: Fetch;
  readonly connect: Connect;
}
const usual: Wire = { fetch: (url, init) => fetch(url, init), connect: connectNode };

/**
 * How to reach the server, with the certificates that `caFile` names now, read once for each path. A file that cannot be read is a fault of every call,
 * in one sentence, and never a connection that trusts other certificates than asked for.
 */
export function createWire(caFile: () => string): Wire {
  let made: { path: string; wire: Wire } = { path: '', wire: usual };
  const current = (): Wire => {
    const path = caFile();
    if (path !== made.path) {
      const ca = path === '' ? null : withUsual(readCaFile(path));
      made = {
        path,
        wire: ca === null ? usual : { fetch: fetchTrusting(ca), connect: connectTrusting(ca) },
      };
    }
    return made.wire;
  };
  return {
    fetch: async (url, init) => current().fetch(url, init),
    connect: (url, protocols, headers, handlers) => {
      try {
        return current().connect(url, protocols, headers, handlers);
      } catch (error) {
        // As for every socket that could not be opened: the close comes once, and after the call.
        queueMicrotask(() => handlers.close(1006, String(error)));
        return { send: () => undefined, close: () => undefined, bufferedBytes: 0 };
      }
    },
  };
}
