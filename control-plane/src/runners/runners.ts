import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { anyLinkProtocol, challengeHeader, linkProtocol } from '@berth/contract/link';
import type { ControlFrame } from '@berth/contract/link';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import { relayUpgrade, type Replicas } from '../replicas/index.ts';
import type { RunnerEvents, RunnerPort } from '../sessions/index.ts';
import type { Store } from '../store/index.ts';
import { bearer, makeCredential, readCredential, sameHash } from './credential.ts';
import { limits } from './limits.ts';
import { Link, linkCloses } from './link.ts';
import { readLinkFile } from './link-file.ts';
import { ensureRunner, runnerHash } from './runners.store.ts';
import { createRemoteCalls, createRemoteRunners, type RemoteCalls } from './remote.ts';
import { createStreams } from './stream-desk.ts';
import type { RunnerStreams } from './streams.ts';

export interface RunnerIdentity {
  runnerId: string;
  credential: string;
}
export interface Runners {
  readonly port: RunnerPort;
  readonly remoteCalls: RemoteCalls;
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
  /** Links go to another process; streams that are open end as they do. */
  handOver(): void;
  /** Tells the runners to come back to whoever is next; they keep what is not acknowledged. */
  close(): Promise<void>;
}

const path = /^\/api\/v1\/runner(?:\/streams\/([^/?]+))?$/;

/**
 * The server side of the link. `events` is asked late, because sessions are made after their port. What is asked of a runner whose link another process holds goes
 * through that one; the bytes of a stream come to the process that waits for them, wherever the runner's connection lands.
 */
export function createRunners(options: {
  store: Store;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  events: () => RunnerEvents;
  replicas: Pick<Replicas, 'id' | 'peers' | 'seat' | 'address' | 'claim' | 'release' | 'onClaims'>;
}): Runners {
  const { store, clock, newId, events, replicas } = options;
  const logger = options.logger.child({ part: 'runners' });
  const links = new Map<string, Link>();
  const homes = new Map<string, string>();
  const believed = new Map<string, { hash: Uint8Array; until: number }>();
  const foreigners = new Set<string>();
  const opened = new Set<Link>();
  const claimedAt = new Map<Link, number>();
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
  const challenges = new WeakMap<IncomingMessage, string>();
  server.on('headers', (headers, request) => {
    const challenge = challenges.get(request);
    if (challenge !== undefined) headers.push(`${challengeHeader}: ${challenge}`);
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

  const remote = createRemoteRunners(replicas);
  const streams = createStreams({
    newId,
    logger,
    guest: (sessionId) => remote.guest(sessionId, linkOf(sessionId)),
  });

  const port: RunnerPort = {
    connected: (sessionId) => linkOf(sessionId) !== undefined,
    runnerOf: (sessionId) => linkOf(sessionId)?.runnerId,
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
      if (link !== undefined) return link.calls.call(sessionId, method, params, signal);
      return remote.call(sessionId, method, params, signal);
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
  const remoteCalls = createRemoteCalls(linkOf);

  // A link whose runner another process serves by now is a connection that the runner gave up: it has not told us, or we were away.
  replicas.onClaims((ours, asOf) => {
    for (const [link, at] of claimedAt)
      if (at < asOf && !ours.has(link.runnerId)) {
        logger.warn({ runnerId: link.runnerId }, 'another process has the link of this runner');
        link.close(linkCloses.restarting, 'another process has it');
      }
  });

  function admit(request: IncomingMessage, socket: Duplex, head: Buffer, runnerId: string): void {
    const challenge = randomBytes(16).toString('base64url');
    challenges.set(request, challenge);
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
        challenge,
        events,
        logger,
        clock,
        async greeted(_link, hello) {
          // From here on it stands for its runner; an older link of it is a connection that the runner gave up.
          links.get(runnerId)?.close(linkCloses.replaced, 'a newer link is here');
          links.set(runnerId, link);
          foreigners.delete(runnerId);
          for (const { sessionId } of hello.sessions) homes.set(sessionId, runnerId);
          logger.info(
            { runnerId, version: hello.version, sessions: hello.sessions.length },
            'runner connected',
          );
          // Known to all before its sessions are taken over: from then on others leave them to us.
          const claim = await replicas.claim(runnerId);
          if (opened.has(link)) claimedAt.set(link, clock.now());
          return claim === null ? undefined : { runnerId, ...claim };
        },
        foreign: () => foreign(runnerId, 'another version'),
        closed() {
          opened.delete(link);
          claimedAt.delete(link);
          if (links.get(runnerId) !== link) return;
          links.delete(runnerId);
          if (closing) return;
          logger.warn({ runnerId }, 'runner disconnected');
          background(replicas.release(runnerId), 'a lost link could not be given up');
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
    at: string | null,
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
    else if (at !== null && at !== replicas.id) {
      const other = await replicas.address(at);
      if (other === null) refuse(socket, '404 Not Found');
      else relayUpgrade({ request, socket, head, to: other.url, logger });
    } else if (!streams.admit(request, socket, head, streamId, runner.runnerId))
      refuse(socket, '404 Not Found');
  }

  function handOver(): void {
    closing = true;
    for (const link of opened) link.close(linkCloses.restarting, 'restarting');
  }

  return {
    port,
    remoteCalls,
    streams,
    authenticate,
    connected: () =>
      [...links.values()].filter((link) => link.serving).map((link) => link.runnerId),
    foreign: (runnerId) => foreigners.has(runnerId),
    serves: (runnerId, sessionId) => linkOf(sessionId)?.runnerId === runnerId,
    upgrade(request, socket, head) {
      const url = new URL(request.url ?? '/', 'http://here.invalid');
      const match = path.exec(url.pathname);
      if (match === null) return false;
      socket.on('error', (error) => logger.debug({ err: error }, 'connection broke'));
      enter(request, socket, head, match[1], url.searchParams.get('at')).catch((error: unknown) => {
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
    handOver,
    async close() {
      streams.close();
      handOver();
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
