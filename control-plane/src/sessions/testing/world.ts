import { randomUUID } from 'node:crypto';
import { pino, type Logger } from 'pino';
import type { Actor } from '../../identity/index.ts';
import { createIds } from '../../ids.ts';
import { createHints } from '../../store/index.ts';
import { testDatabase, type TestDatabase } from '../../store/testing/index.ts';
import type { Sandbox } from '../../sandboxes/index.ts';
import { createSessions, type SessionsFeature } from '../index.ts';
import { FakeRunner } from './fake-runner.ts';
import { testHarnesses } from './harness.ts';
import { alone, noColleague } from './seats.ts';
import { until } from './until.ts';

const quiet: Logger = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }, pino.destination(2));

export interface World extends AsyncDisposable {
  readonly db: TestDatabase;
  readonly actor: Actor;
  readonly agentId: string;
  readonly runner: FakeRunner;
  readonly time: { ms: number };
  readonly hinted: string[];
  /** Another process seems to have every session that this one has not. */
  elsewhere: boolean;
  feature: SessionsFeature;
  /** The process dies without a word; another one takes its place. */
  restart(options?: { reconnect: boolean }): Promise<void>;
  /** A session with its agent ready. */
  ready(): Promise<string>;
  sandbox(sessionId: string, generation?: number): Sandbox;
  events(sessionId: string): Promise<StoredEvent[]>;
}
export interface StoredEvent {
  seq: number;
  kind: string;
  turnId?: string;
  payload: Record<string, unknown>;
}

export async function openWorld(): Promise<World> {
  const db = await testDatabase();
  const time = { ms: Date.parse('2026-11-22T12:00:00.000Z') };
  const clock = { now: () => time.ms };
  const newId = createIds(clock);
  const teamId = newId();
  const actor: Actor = { userId: newId(), userName: 'Ada', teamId, role: 'owner', scopes: ['*'] };
  const agentId = newId();
  await db.pool.query(
    `insert into agent (id, team_id, name, harness, mode, egress, repository) values ($1, $2, 'Rehearsal', 'rehearsal', 'ask', $3, $4)`,
    [agentId, teamId, { allow: ['example.com'] }, { url: 'https://git.example.org/a/b.git' }],
  );
  const runner = new FakeRunner();
  const hinted: string[] = [];
  const stop = new AbortController();
  const opened: AsyncDisposable[] = [];
  const sandboxes = new Map<string, Sandbox>();

  async function build(): Promise<SessionsFeature> {
    const hints = await createHints({ store: db.store, logger: quiet });
    const feature = createSessions({
      store: db.store,
      hints,
      clock,
      newId,
      logger: quiet,
      runner,
      sandboxes: { hint: (id) => hinted.push(id), current: (id) => sandboxes.get(id) },
      seats: { ...alone, elsewhere: async () => world.elsewhere },
      colleague: noColleague,
      harnesses: testHarnesses,
      config: {
        containerEnv: { TEAM: 'harbour' },
        driver: 'local',
        isolated: true,
        egressSocket: '/run/egress.sock',
        limits: { memoryBytes: 4 * 1024 ** 3, pids: 1024 },
      },
    });
    await feature.start(stop.signal);
    runner.attach(feature.runnerEvents);
    opened.push(feature, hints);
    return feature;
  }

  const world: World = {
    db,
    actor,
    agentId,
    runner,
    time,
    hinted,
    elsewhere: false,
    feature: await build(),
    async restart({ reconnect } = { reconnect: true }) {
      // The old one is not closed: like a process that was killed, it may still have something on the way.
      world.feature = await build();
      if (reconnect) await runner.reconnect();
    },
    sandbox: (sessionId, generation = 1) => ({
      sessionId,
      generation,
      state: 'running',
      notes: [],
      isolated: true,
      door: { socketDir: `/run/${sessionId}`, hostUid: 1000, hostGid: 1000 },
    }),
    async ready() {
      const { id } = await world.feature.sessions.create(actor, { agentId });
      const sandbox = world.sandbox(id);
      sandboxes.set(id, sandbox);
      await world.feature.reports.phase(id, { phase: 'starting' });
      await world.feature.reports.running(sandbox);
      runner.say(id, 'sandbox.phase', { phase: 'agent-starting' });
      runner.say(id, 'agent.session', { agentSessionId: randomUUID() });
      runner.say(id, 'sandbox.phase', { phase: 'ready' });
      await until('idle', async () => {
        const { status } = await world.feature.sessions.get(actor, id);
        return status === 'idle';
      });
      return id;
    },
    async events(sessionId) {
      const { items } = await world.feature.log.page(actor, sessionId, { after: 0, limit: 1000 });
      return items.map(({ json }) => JSON.parse(json) as StoredEvent);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      for (const part of opened) await part[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
  return world;
}
