import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Hints, Store } from '../store/index.ts';
import { limits } from './limits.ts';
import { createPeers, type Peers } from './peers.ts';
import * as store from './replicas.store.ts';

export interface Replica {
  readonly id: string;
  /** Where the other processes reach it. */
  readonly url: string;
  readonly roles: readonly string[];
  /** What a worker says of its sandboxes. */
  readonly facts: unknown;
}
/** What another process shows it. Never logged: it is asked for by name only. */
export interface Address {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
}
/** Who holds the link of a session's runner. */
export interface Seat {
  readonly runnerId: string;
  readonly at: Address;
}

export interface Replicas extends AsyncDisposable {
  readonly id: string;
  readonly peers: Peers;
  /** From now on the others know us. */
  start(own: { url: string; facts: unknown }): Promise<void>;
  /** Resolves when the others know us. */
  readonly started: Promise<unknown>;
  /** Those that live, as of the last heartbeat. */
  others(): readonly Replica[];
  /** Our last heartbeat is young: nobody has taken us for dead. */
  readonly sure: boolean;
  /** Null: nobody that lives holds a link that would serve this session. */
  seat(sessionId: string): Promise<Seat | null>;
  /** Another process holds the link of this session's runner, so it writes the session. */
  elsewhere(sessionId: string): Promise<boolean>;
  /** The first one that lives with this role. */
  withRole(role: string): Promise<Address | null>;
  address(id: string): Promise<Address | null>;
  holds(secret: string): boolean;
  /** The link of this runner is ours from now on, until somebody claims it anew. Null: no such runner. */
  claim(runnerId: string): Promise<{ replicaId: string; since: string } | null>;
  release(runnerId: string): Promise<void>;
  /** Told the runners whose links are ours, as of a moment: after each heartbeat, and when another process claimed one. */
  onClaims(listener: ClaimsListener): void;
  /** Told when we were silent for so long that others took us for dead: frozen, cut off, asleep. */
  onAway(listener: (silentMs: number) => void): void;
  /** Told when others came or went. */
  onChange(listener: () => void): void;
}

export type ClaimsListener = (runnerIds: ReadonlySet<string>, asOf: number) => void;

const channel = 'replica';

/** Which processes of the control plane live, and who holds which runner's link. Everything stands in Postgres; what is kept here is as old as the last heartbeat. */
export async function createReplicas(options: {
  store: Pick<Store, 'pool'>;
  hints: Pick<Hints, 'publish' | 'listen'>;
  clock: Clock;
  newId: () => string;
  logger: Logger;
  roles: readonly string[];
}): Promise<Replicas> {
  const { clock, hints } = options;
  const { pool } = options.store;
  const logger = options.logger.child({ part: 'replicas' });
  const id = options.newId();
  const secret = randomBytes(32).toString('base64url');
  const claims = new Set<ClaimsListener>();
  const away = new Set<(silentMs: number) => void>();
  const changed = new Set<() => void>();
  const ready = Promise.withResolvers<undefined>();
  let own: store.ReplicaRow | null = null;
  let known: store.ReplicaRow[] = [];
  let lastBeat = clock.now();
  let beats = 0;
  let working = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const sure = (): boolean => clock.now() - lastBeat < limits.aliveMs;
  const others = (): store.ReplicaRow[] => known.filter((each) => each.id !== id);

  async function look(): Promise<void> {
    const before = others().map((each) => each.id);
    known = await store.readAlive(pool, limits.aliveMs);
    const now = others().map((each) => each.id);
    if (before.join() === now.join()) return;
    logger.info({ others: now }, 'the processes of the control plane changed');
    for (const tell of changed) tell();
  }
  async function lookAtClaims(): Promise<void> {
    const asOf = clock.now();
    const ours = new Set(await store.claimedBy(pool, id));
    for (const tell of claims) tell(ours, asOf);
  }

  async function beat(): Promise<void> {
    if (own === null) return;
    const at = clock.now();
    const silentMs = at - lastBeat;
    await store.beat(pool, own);
    lastBeat = at;
    await look();
    await lookAtClaims();
    if (silentMs >= limits.aliveMs) {
      logger.warn({ silentMs }, 'this process was away: what it held may be held by others');
      for (const tell of away) tell(silentMs);
    }
    if (beats++ % Math.round(limits.sweepMs / limits.beatMs) === 0)
      await store.sweep(pool, limits.sweepMs);
  }
  /** One after the other; a failure is the next one's work. */
  function inTurn(work: () => Promise<void>): Promise<void> {
    working = working
      .then(work)
      .catch((error: unknown) => logger.warn({ err: error }, 'a heartbeat failed; trying on'));
    return working;
  }

  async function seat(sessionId: string): Promise<Seat | null> {
    const [first, second] = await store.readSeats(pool, sessionId, limits.aliveMs);
    if (first === undefined || (!first.home && second !== undefined)) return null;
    const { runner_id: runnerId, id: at, url, secret: shown } = first;
    return { runnerId, at: { id: at, url, secret: shown } };
  }

  const stop = await hints.listen(channel, (hint) => {
    if (own !== null && hint !== 'everything' && hint.every((from) => from === id)) return;
    inTurn(async () => {
      await look();
      await lookAtClaims();
    }).catch(() => undefined); // `inTurn` never fails
  });
  known = await store.readAlive(pool, limits.aliveMs);

  return {
    id,
    peers: createPeers({ logger }),
    started: ready.promise,
    async start({ url, facts }) {
      own = { id, url, roles: [...options.roles], secret, facts };
      lastBeat = clock.now();
      await beat();
      ready.resolve(undefined);
      hints.publish(channel, id);
      timer = setInterval(() => {
        inTurn(beat).catch(() => undefined); // `inTurn` never fails
      }, limits.beatMs);
      timer.unref();
    },
    others,
    get sure() {
      return sure();
    },
    seat,
    async elsewhere(sessionId) {
      if (sure() && others().length === 0) return false;
      const held = await seat(sessionId);
      return held !== null && held.at.id !== id;
    },
    async withRole(role) {
      const alive = await store.readAlive(pool, limits.aliveMs);
      return alive.find((each) => each.id !== id && each.roles.includes(role)) ?? null;
    },
    async address(wanted) {
      const alive = await store.readAlive(pool, limits.aliveMs);
      return alive.find((each) => each.id === wanted) ?? null;
    },
    holds(shown) {
      const [one, other] = [Buffer.from(shown), Buffer.from(secret)];
      return one.length === other.length && timingSafeEqual(one, other);
    },
    async claim(runnerId) {
      await ready.promise;
      const since = await store.claimRunner(pool, runnerId, id);
      hints.publish(channel, id);
      return since === null ? null : { replicaId: id, since };
    },
    release: (runnerId) => store.releaseRunner(pool, runnerId, id),
    onClaims: (listener) => claims.add(listener),
    onAway: (listener) => away.add(listener),
    onChange: (listener) => changed.add(listener),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stop();
      await working;
      own = null;
      await store.leave(pool, id).catch((error: unknown) => {
        logger.debug({ err: error }, 'the row stays until it is swept');
      });
      hints.publish(channel, id);
    },
  };
}
