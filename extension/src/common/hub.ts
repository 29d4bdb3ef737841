import {
  codeOf,
  createClient,
  everything,
  explain,
  openChannels,
  ServerUnreachable,
  type BerthClient,
  type Channels,
  type Connect,
  type ConnectionState,
  type Fetch,
} from '@berth/client';
import type { Clock, Timers } from './clock.ts';
import { createStore, nothingKnown, type HubState, type Observable } from './state.ts';

/** A server to talk to; without a token somebody must sign in first. */
export interface Target {
  readonly url: string;
  readonly token: string | undefined;
}
/** What is open towards one server. */
export interface Link {
  readonly client: BerthClient;
  readonly channels: Channels;
}
export interface Hub {
  readonly state: Observable<HubState>;
  readonly link: Link | null;
  /** Looks for the server again, and connects at once. Never wakes a sandbox. */
  look(): void;
  /** Asks for the catalogue again: agents, harnesses, who we are. */
  refresh(): Promise<void>;
  /** Lets go of the server until `look`. */
  disconnect(): void;
  /** The link once there is one; null when there is none after `timeoutMs`. */
  whenLinked(timeoutMs: number): Promise<Link | null>;
  close(): void;
}
export interface HubOptions {
  find: () => Promise<Target | null>;
  connect: Connect;
  fetch: Fetch;
  newId: () => string;
  clock: Clock;
  timers: Timers;
  log: { info(text: string): void; warn(text: string): void };
}

/** While there is no server, or nobody is signed in, the files that could say so are read this often. */
const lookEveryMs = 2000;

/** One server, found and kept: everything that views show comes from its state, and every call goes through its client. */
export function createHub(options: HubOptions): Hub {
  const { find, clock, timers, log } = options;
  const store = createStore<HubState>(nothingKnown);
  let target: Target | null = null;
  let link: Link | null = null;
  // Raised with every look: what an older one still finds is of no interest.
  let round = 0;
  let stopped = false;
  let callOff: () => void = () => undefined;
  const waiters = new Set<() => void>();

  const again = (ms = lookEveryMs): void => {
    callOff();
    callOff = stopped ? () => undefined : timers.after(ms, look);
  };
  const fail = (what: string) => (error: unknown) => log.warn(`${what}: ${explain(error)}`);

  function look(): void {
    stopped = false;
    callOff();
    round += 1;
    const mine = round;
    find().then(
      (found) => {
        if (mine === round) take(found);
      },
      (error: unknown) => {
        if (mine !== round) return;
        log.warn(`the server could not be looked up: ${explain(error)}`);
        if (link === null) store.update({ server: { kind: 'absent', url: null } });
        again();
      },
    );
  }

  function take(found: Target | null): void {
    if (found === null) {
      drop();
      store.update({ ...nothingKnown, server: { kind: 'absent', url: null } });
      again();
      return;
    }
    if (link !== null && target?.url === found.url && target.token === found.token) {
      link.channels.reconnectNow();
      return;
    }
    const sameServer = target?.url === found.url;
    drop();
    target = found;
    if (!sameServer) store.update({ ...nothingKnown, server: { kind: 'looking' } });
    log.info(`server ${found.url}`);
    const client = createClient({
      url: found.url,
      token: () => found.token,
      fetch: options.fetch,
      newId: options.newId,
    });
    if (found.token === undefined) askWhoIsThere(client, found.url);
    else open(client, found.url);
  }

  /** Nobody is signed in: is there a server at all? */
  function askWhoIsThere(client: BerthClient, url: string): void {
    const mine = round;
    client.meta().then(
      () => {
        if (mine !== round) return;
        store.update({ server: { kind: 'signed-out', url } });
        again();
      },
      (error: unknown) => {
        if (mine !== round) return;
        log.warn(explain(error));
        const away = error instanceof ServerUnreachable;
        store.update({ server: away ? { kind: 'absent', url } : { kind: 'signed-out', url } });
        again();
      },
    );
  }

  function open(client: BerthClient, url: string): void {
    const channels = openChannels({
      client,
      connect: options.connect,
      clock,
      timers,
      onError: fail('channels'),
    });
    const mine: Link = { client, channels };
    link = mine;
    channels.onState((state) => {
      if (link === mine) connection(state, url);
    });
    channels.sessions(({ all, complete }) => {
      if (link !== mine) return;
      const sessions = new Map(all);
      store.update({
        sessions,
        loaded: store.get().loaded || complete,
        heardAt: clock.now(),
      });
      const known = new Set(store.get().agents.map(({ id }) => id));
      const isNew = [...sessions.values()].some(({ agentId }) => !known.has(agentId));
      if (isNew && store.get().agents.length > 0) refresh().catch(fail('agents'));
    });
    channels.approvals(({ all }) => {
      if (link === mine) store.update({ approvals: new Map(all), heardAt: clock.now() });
    });
    for (const waiter of [...waiters]) waiter();
  }

  function connection(state: ConnectionState, url: string): void {
    const { server } = store.get();
    switch (state.kind) {
      case 'connected':
        log.info(`connected to ${url}`);
        callOff();
        store.update({ server: { kind: 'online', url }, heardAt: clock.now() });
        refresh().catch(fail('catalogue'));
        break;
      case 'awaiting-retry': {
        const wasThere = server.kind === 'online' || server.kind === 'offline';
        if (server.kind === 'online') log.warn(`connection to ${url} lost`);
        store.update({
          server: wasThere
            ? { kind: 'offline', url, nextTryMs: state.delayMs }
            : { kind: 'absent', url },
          heardAt: server.kind === 'online' ? clock.now() : store.get().heardAt,
        });
        // A server of this machine may have come back with another port and token.
        again();
        break;
      }
      case 'disconnected':
        log.warn(`${url} refused the connection: ${state.reason}`);
        if (state.reason === 'protocol')
          store.update({
            server: {
              kind: 'incompatible',
              url,
              detail: 'The server speaks another version. Update Berth to go on.',
            },
          });
        else {
          store.update({ server: { kind: 'signed-out', url } });
          again();
        }
        break;
      case 'connecting':
        if (server.kind === 'offline')
          store.update({ server: { kind: 'offline', url, nextTryMs: null } });
        break;
      case 'idle':
      case 'disposed':
        break;
    }
  }

  async function refresh(): Promise<void> {
    const mine = link;
    if (mine === null) return;
    const { client } = mine;
    const [me, meta, harnesses, agents] = await Promise.all([
      client.me(),
      client.meta(),
      client.harnesses(),
      Array.fromAsync(everything((query) => client.agents.list(query))),
    ]);
    if (link === mine) store.update({ me, meta, harnesses, agents });
  }

  function drop(): void {
    const old = link;
    link = null;
    target = null;
    old?.channels.close();
  }

  return {
    state: store,
    get link() {
      return link;
    },
    look,
    refresh,
    disconnect() {
      stopped = true;
      round += 1;
      callOff();
      const url = target?.url ?? null;
      drop();
      store.update({ ...nothingKnown, server: { kind: 'absent', url } });
    },
    whenLinked: (timeoutMs) =>
      new Promise((resolve) => {
        if (link !== null || stopped) {
          resolve(link);
          return;
        }
        const done = (): void => {
          waiters.delete(done);
          stopWaiting();
          resolve(link);
        };
        const stopWaiting = timers.after(timeoutMs, done);
        waiters.add(done);
      }),
    close() {
      stopped = true;
      round += 1;
      callOff();
      drop();
      for (const waiter of [...waiters]) waiter();
    },
  };
}

/** What was refused, in one sentence; a stable code first where people and tests look for it. */
export const isCode = (error: unknown, code: string): boolean => codeOf(error) === code;
