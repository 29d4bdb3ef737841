import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { channelsProtocol, closeCodes, Problem, terminalProtocol } from '@berth/contract';
import type { QueryTable } from '@berth/contract/routes';
import type { Clock } from '../clock.ts';
import { allowed } from '../identity/index.ts';
import type { TicketPurpose } from '../identity/index.ts';
import type { EventLog } from '../sessions/index.ts';
import type { Auth, SignedIn } from './auth.ts';
import { ChannelSocket } from './channel-socket.ts';
import type { Hosts } from './hosts.ts';
import type { Hub } from './hub.ts';
import { limits } from './limits.ts';
import type { WebMetrics } from './metrics.ts';
import type { RunnersPort, TerminalsPort } from './ports.ts';
import { refuseRaw } from './raw-answer.ts';
import { problemOf } from './refusals.ts';
import { serveTerminal } from './terminal-socket.ts';
import { isUuid, parseQuery } from './validate.ts';

const ticket = { kind: 'text', max: 200, about: 'From `POST /tickets`.' } as const;
const size = { kind: 'int', min: 2, max: 1000, about: 'The viewer’s size.' } as const;
const offset = {
  kind: 'int',
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
  about: 'The last byte it has.',
} as const;
const queries = {
  channels: { ticket },
  terminal: { ticket, cols: { ...size, default: 80 }, rows: { ...size, default: 24 }, offset },
} as const satisfies Record<TicketPurpose, QueryTable>;
const protocols = { channels: channelsProtocol, terminal: terminalProtocol } as const;

interface Open {
  socket: WebSocket;
  signedIn: SignedIn;
  kind: TicketPurpose;
  heardAt: number;
  checkedAt: number;
}
type Place = { kind: 'channels' } | { kind: 'terminal'; terminalId: string };

function placeOf(path: string): Place | null {
  if (path === '/api/v1/channels') return { kind: 'channels' };
  const id = /^\/api\/v1\/terminals\/([^/]+)\/attach$/.exec(path)?.[1];
  return id !== undefined && isUuid(id) ? { kind: 'terminal', terminalId: id.toLowerCase() } : null;
}
const mayUse = (kind: TicketPurpose, actor: SignedIn['actor']): boolean =>
  allowed(actor, kind === 'channels' ? 'read' : 'terminals');

/** Whom nobody offered our protocol is told so by a close code, which takes an open socket: so any offer is echoed first. */
const handleProtocols = (offered: Set<string>): string | false => {
  for (const ours of Object.values(protocols)) if (offered.has(ours)) return ours;
  return offered.values().next().value ?? false;
};

export type Sockets = ReturnType<typeof createSockets>;

export function createSockets(ports: {
  auth: Auth;
  hosts: Hosts;
  hub: Hub;
  log: EventLog;
  terminals: TerminalsPort;
  runners: RunnersPort;
  metrics: WebMetrics;
  logger: Logger;
  clock: Clock;
}) {
  const { auth, hosts, logger, clock, metrics } = ports;
  const options = { noServer: true, perMessageDeflate: false, handleProtocols } as const;
  const servers = {
    channels: new WebSocketServer({ ...options, maxPayload: limits.socketFrameBytes }),
    terminal: new WebSocketServer({ ...options, maxPayload: limits.terminalFrameBytes }),
  };
  const open = new Set<Open>();
  let draining = false;

  /** What to close with instead of serving; null: come in. */
  function refusalOf(
    kind: TicketPurpose,
    protocol: string,
    signedIn: SignedIn | null,
  ): [number, string] | null {
    if (protocol !== protocols[kind]) return [closeCodes.protocol, `speak ${protocols[kind]}`];
    if (signedIn === null) return [closeCodes.notSignedIn, 'not signed in'];
    if (!mayUse(kind, signedIn.actor)) return [closeCodes.noLongerAllowed, 'not allowed'];
    if (draining) return [closeCodes.restarting, 'restarting'];
    if (open.size >= limits.sockets) return [closeCodes.overloaded, 'too many sockets'];
    return null;
  }

  function keep(kind: TicketPurpose, socket: WebSocket, signedIn: SignedIn): void {
    const entry = { socket, signedIn, kind, heardAt: clock.now(), checkedAt: clock.now() };
    const heard = () => {
      entry.heardAt = clock.now();
    };
    socket.on('message', heard);
    socket.on('pong', heard);
    socket.on('ping', heard);
    open.add(entry);
    metrics.sockets.inc({ kind });
    socket.once('close', () => {
      open.delete(entry);
      metrics.sockets.dec({ kind });
    });
  }

  async function admit(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    place: Place,
    search: URLSearchParams,
  ): Promise<void> {
    const { kind } = place;
    if (!auth.socketOrigin(request)) {
      const refusal = new Problem('origin-refused', 'Only this server’s own pages may do this.');
      refuseRaw(socket, refusal);
      return;
    }
    const table: QueryTable = queries[kind];
    const { ticket: shown, ...at } = parseQuery(table, search);
    const subject = place.kind === 'terminal' ? place.terminalId : undefined;
    let signedIn: SignedIn | null = null;
    try {
      const text = typeof shown === 'string' ? shown : null;
      signedIn = await auth.socket(request, kind, text, subject);
    } catch (error) {
      if (problemOf(error)?.code !== 'not-signed-in') throw error;
    }
    const server = servers[kind];
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => logger.debug({ err: error, kind }, 'socket broke'));
      const refusal = refusalOf(kind, client.protocol, signedIn);
      if (refusal !== null || signedIn === null) {
        client.close(...(refusal ?? [closeCodes.notSignedIn, 'not signed in']));
        return;
      }
      const { actor } = signedIn;
      keep(kind, client, signedIn);
      if (place.kind === 'channels') {
        new ChannelSocket(client, actor, ports);
        return;
      }
      const target = { terminalId: place.terminalId, ...sizeOf(at) };
      serveTerminal(client, actor, target, ports).catch((error: unknown) => {
        logger.error({ err: error }, 'terminal socket failed');
        client.terminate();
      });
    });
  }

  function beat(): void {
    const now = clock.now();
    for (const entry of open) {
      const { socket, kind } = entry;
      // While we do not read it ourselves, its silence is ours.
      if (now - entry.heardAt >= limits.silenceMs && !socket.isPaused) {
        socket.terminate();
        continue;
      }
      if (socket.readyState !== socket.OPEN) continue;
      socket.ping();
      // A page in a browser does not see the protocol's own ping.
      if (kind === 'channels') socket.send('{"op":"ping"}');
      if (now - entry.checkedAt < limits.recheckMs) continue;
      entry.checkedAt = now;
      recheck(entry).catch((error: unknown) => {
        logger.warn({ err: error }, 'a socket’s holder could not be checked; trying again later');
      });
    }
  }
  async function recheck({ socket, signedIn, kind }: Open): Promise<void> {
    const actor = await signedIn.again();
    if (actor === null || actor.role !== signedIn.actor.role || !mayUse(kind, actor))
      socket.close(closeCodes.noLongerAllowed, 'no longer allowed');
  }
  function comeBack(only?: TicketPurpose): void {
    for (const { socket, kind } of open)
      if (only === undefined || kind === only) socket.close(closeCodes.restarting, 'restarting');
  }
  const heart = setInterval(beat, limits.pingMs);
  heart.unref();

  return {
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      socket.on('error', (error) => logger.debug({ err: error }, 'connection broke'));
      if (!hosts.ours(request.headers.host)) {
        refuseRaw(socket, new Problem('host-refused', 'This server has another name.'));
        return;
      }
      const url = new URL(request.url ?? '/', 'http://here.invalid');
      if (url.pathname === '/api/v1/runner' || url.pathname.startsWith('/api/v1/runner/')) {
        ports.runners.upgrade(request, socket, head);
        return;
      }
      const place = placeOf(url.pathname);
      if (place === null) {
        refuseRaw(socket, new Problem('not-found', 'There is no socket here.'));
        return;
      }
      admit(request, socket, head, place, url.searchParams).catch((error: unknown) => {
        const problem = problemOf(error);
        if (problem === null) logger.error({ err: error }, 'socket failed unexpectedly');
        refuseRaw(socket, problem ?? new Problem('internal-error', 'The log has more.'));
      });
    },

    /** New ones are refused from now on; those that are open come back to another replica at once. */
    drain(): void {
      draining = true;
      comeBack();
    },
    comeBack,
    close(): void {
      clearInterval(heart);
      for (const { socket } of open) socket.terminate();
    },
  };
}

function sizeOf(at: Record<string, unknown>): { cols: number; rows: number; offset?: number } {
  const { cols, rows, offset: from } = at;
  if (typeof cols !== 'number' || typeof rows !== 'number')
    throw new Error('the query’s defaults give a size');
  return { cols, rows, ...(typeof from === 'number' ? { offset: from } : {}) };
}
