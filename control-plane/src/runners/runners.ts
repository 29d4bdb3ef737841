import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { anyLinkProtocol, linkProtocol } from '@berth/contract/link';
import type { ControlFrame } from '@berth/contract/link';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { RunnerEvents, RunnerPort } from '../sessions/index.ts';
import type { Store } from '../store/index.ts';
import { bearer, makeCredential, readCredential, sameHash } from './credential.ts';
import { limits } from './limits.ts';
import { Link, linkCloses } from './link.ts';
import { readLinkFile } from './link-file.ts';
import { unreachable } from './refusals.ts';
import { ensureRunner, runnerHash, runnerSeen } from './runners.store.ts';
import { createStreams } from './stream-desk.ts';
import type { RunnerStreams } from './streams.ts';

export interface RunnerIdentity {
  runnerId: string;
  credential: string;
}
export interface Runners {
  readonly port: RunnerPort;
  readonly streams: RunnerStreams;
  /** `/api/v1/runner` and `/api/v1/runner/streams/<id>`. False: another path, which is left alone. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** The identity of this machine's runner: the one it has, or one made now. */
  ensureLocal(options: { stateDir: string }): Promise<RunnerIdentity>;
  authenticate(credential: string): Promise<{ runnerId: string } | null>;
  /** The session runs at this runner, as far as this process knows. */
  serves(runnerId: string, sessionId: string): boolean;
  /** Links that are up now. */
  connected(): readonly string[];
  /** Its last words were of another version of the link: nothing that it says is understood here, until another takes its place. */
  foreign(runnerId: string): boolean;
  /** Tells the runners to come back to whoever is next; they keep what is not acknowledged. */
  close(): Promise<void>;
}

const path = /^\/api\/v1\/runner(?:\/streams\/([^/?]+))?$/;

/** The server side of the link. `events` is asked late, because sessions are made after their port. */
export function createRunners(options: {
  store: Store;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  events: () => RunnerEvents;
}): Runners {
  const { store, clock, newId, events } = options;
  const logger = options.logger.child({ part: 'runners' });
  const links = new Map<string, Link>();
  const homes = new Map<string, string>();
  const believed = new Map<string, { hash: Uint8Array; until: number }>();
  const foreigners = new Set<string>();
  const opened = new Set<Link>();
  const work = new Set<Promise<void>>();
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.linkFrameBytes,
    // One of another version is let in only to hear that it is.
    handleProtocols: (offered) =>
      offered.has(linkProtocol)
        ? linkProtocol
        : ([...offered].find((name) => anyLinkProtocol.test(name)) ?? false),
  });
  let closing = false;

  /** Failures of what nobody waits for are logged; `close` awaits it. */
  function background(promise: Promise<void>, what: string): void {
    const guarded: Promise<void> = promise
      .catch((error: unknown) => logger.error({ err: error }, what))
      .then(() => {
        work.delete(guarded);
      });
    work.add(guarded);
  }

  async function authenticate(text: string): Promise<{ runnerId: string } | null> {
    const credential = readCredential(text);
    if (credential === null) return null;
    const { runnerId, hash } = credential;
    const cached = believed.get(runnerId);
    if (cached !== undefined && cached.until > clock.now())
      return sameHash(cached.hash, hash) ? { runnerId } : null;
    const stored = await runnerHash(store, runnerId);
    if (stored === null) return null;
    believed.set(runnerId, { hash: stored, until: clock.now() + limits.credentialMs });
    return sameHash(stored, hash) ? { runnerId } : null;
  }

  /** Where a session runs: at the runner that said so, else at the only one there is. */
  function linkOf(sessionId: string): Link | undefined {
    const home = homes.get(sessionId);
    const known = home === undefined ? undefined : links.get(home);
    if (known !== undefined) return known.serving ? known : undefined;
    const [only, ...others] = links.values();
    return only?.serving === true && others.length === 0 ? only : undefined;
  }
  const send = (sessionId: string, frame: ControlFrame): void => linkOf(sessionId)?.send(frame);

  const streams = createStreams({
    newId,
    logger,
    invite(sessionId, streamId, purpose) {
      const link = linkOf(sessionId);
      if (link === undefined) throw unreachable('The runner of this session is not connected.');
      link.send({ op: 'stream', streamId, sessionId, purpose });
      return link.runnerId;
    },
  });

  const port: RunnerPort = {
    connected: (sessionId) => linkOf(sessionId) !== undefined,
    bind(spec) {
      const link = linkOf(spec.sessionId);
      if (link === undefined) return;
      homes.set(spec.sessionId, link.runnerId);
      link.send({ op: 'bind', session: spec });
    },
    unbind(sessionId, purge) {
      send(sessionId, { op: 'unbind', sessionId, purge });
      if (purge) homes.delete(sessionId);
    },
    turn: (sessionId, turnId, prompt) =>
      send(sessionId, { op: 'turn', sessionId, turnId, prompt: [...prompt] }),
    cancel: (sessionId, turnId) => send(sessionId, { op: 'cancel', sessionId, turnId }),
    decide: (sessionId, approvalId, optionId, note) =>
      send(sessionId, {
        op: 'decide',
        sessionId,
        approvalId,
        optionId,
        ...(note === undefined ? {} : { note }),
      }),
    ack: (sessionId, sourceId, n) => send(sessionId, { op: 'ack', sessionId, sourceId, n }),
    drop: (sessionId) => linkOf(sessionId)?.drop(),
    async call(sessionId, method, params, signal) {
      const link = linkOf(sessionId);
      if (link === undefined) throw unreachable('The runner of this session is not connected.');
      return link.calls.call(sessionId, method, params, signal);
    },
  };

  function foreign(runnerId: string, speaks: string): void {
    if (foreigners.has(runnerId)) return;
    foreigners.add(runnerId);
    logger.error(
      { runnerId, speaks, ours: linkProtocol },
      'the runner is of another version of Berth and cannot be understood: it has to be replaced',
    );
    background(events().foreign(runnerId), 'a runner of another version could not be told');
  }

  function admit(request: IncomingMessage, socket: Duplex, head: Buffer, runnerId: string): void {
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('error', (error) => logger.warn({ err: error, runnerId }, 'a link broke'));
      if (client.protocol !== linkProtocol) {
        if (anyLinkProtocol.test(client.protocol)) foreign(runnerId, client.protocol);
        client.close(linkCloses.protocol, `speak ${linkProtocol}`);
        return;
      }
      if (closing) {
        client.close(linkCloses.restarting, 'restarting');
        return;
      }
      const link: Link = new Link({
        runnerId,
        socket: client,
        events,
        logger,
        clock,
        greeted(_link, hello) {
          // From here on it stands for its runner; an older link of it is a connection that the runner gave up.
          links.get(runnerId)?.close(linkCloses.replaced, 'a newer link is here');
          links.set(runnerId, link);
          foreigners.delete(runnerId);
          for (const { sessionId } of hello.sessions) homes.set(sessionId, runnerId);
          logger.info(
            { runnerId, version: hello.version, sessions: hello.sessions.length },
            'runner connected',
          );
          background(
            runnerSeen(store, runnerId, new Date(clock.now())),
            'a runner’s last sight could not be stored',
          );
        },
        foreign: () => foreign(runnerId, 'another version'),
        closed() {
          opened.delete(link);
          if (links.get(runnerId) !== link) return;
          links.delete(runnerId);
          if (closing) return;
          logger.warn({ runnerId }, 'runner disconnected');
          background(events().disconnected(runnerId), 'a lost runner could not be told');
        },
      });
      opened.add(link);
    });
  }

  async function enter(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    streamId: string | undefined,
  ): Promise<void> {
    // No browser has business here, and one that shows a credential is somebody else's page.
    if (request.headers.origin !== undefined) {
      refuse(socket, '403 Forbidden');
      return;
    }
    const token = bearer(request.headers.authorization);
    const runner = token === null ? null : await authenticate(token);
    if (runner === null) refuse(socket, '401 Unauthorized');
    else if (streamId === undefined) admit(request, socket, head, runner.runnerId);
    else if (!streams.admit(request, socket, head, streamId, runner.runnerId))
      refuse(socket, '404 Not Found');
  }

  return {
    port,
    streams,
    authenticate,
    connected: () =>
      [...links.values()].filter((link) => link.serving).map((link) => link.runnerId),
    foreign: (runnerId) => foreigners.has(runnerId),
    serves: (runnerId, sessionId) => linkOf(sessionId)?.runnerId === runnerId,
    upgrade(request, socket, head) {
      const match = path.exec(new URL(request.url ?? '/', 'http://here.invalid').pathname);
      if (match === null) return false;
      socket.on('error', (error) => logger.debug({ err: error }, 'connection broke'));
      enter(request, socket, head, match[1]).catch((error: unknown) => {
        logger.error({ err: error }, 'a runner could not be let in');
        refuse(socket, '503 Service Unavailable');
      });
      return true;
    },
    async ensureLocal({ stateDir }) {
      const held = await readLinkFile(stateDir);
      const known = held === undefined ? null : readCredential(held.credential);
      if (held !== undefined && known !== null && known.runnerId === held.runnerId) {
        const at = new Date(clock.now());
        await ensureRunner(store, { id: known.runnerId, hash: known.hash, at });
        return { runnerId: held.runnerId, credential: held.credential };
      }
      const runnerId = newId();
      const credential = makeCredential(runnerId, randomBytes(32));
      const made = readCredential(credential);
      if (made === null) throw new Error('a credential that was just made can be read');
      await ensureRunner(store, { id: runnerId, hash: made.hash, at: new Date(clock.now()) });
      return { runnerId, credential };
    },
    async close() {
      closing = true;
      streams.close();
      for (const link of opened) link.close(linkCloses.restarting, 'restarting');
      const deadline = AbortSignal.timeout(limits.closeMs * 2);
      while (opened.size > 0 && !deadline.aborted)
        await new Promise((resolve) => setTimeout(resolve, 10));
      for (const link of opened) link.terminate();
      await Promise.all(work);
    },
  };
}

function refuse(socket: Duplex, status: string): void {
  if (socket.destroyed) return;
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
