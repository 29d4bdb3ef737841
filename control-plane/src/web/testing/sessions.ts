import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { expect } from 'vitest';
import type { Approval } from '@berth/contract';
import type { HarnessRecord } from '@berth/contract/harness';
import type { Clock } from '../../clock.ts';
import type { Actor } from '../../identity/index.ts';
import type { NewId } from '../../ids.ts';
import type { RunnerPort, Sessions } from '../../sessions/index.ts';
import { createSessions } from '../../sessions/index.ts';
import { createHints } from '../../store/index.ts';
import type { Sandbox } from '../../sandboxes/index.ts';
import type { Store } from '../../store/index.ts';

const record: HarnessRecord = {
  id: 'rehearsal',
  title: 'Rehearsal',
  version: '1.0.0',
  protocol: 'none',
  acp: { argv: ['agent'] },
  env: {},
  files: [],
  modes: { ask: { name: 'Ask' }, auto: { name: 'Auto' } },
  model: {},
  terminal: { kind: 'none' },
  state: [],
  timeouts: { initializeMs: 1000, newSessionMs: 1000, loadMs: 1000, cancelMs: 1000 },
};
const nothing = (): void => undefined;

/** The real sessions; at their runner's port stands a script, which says what the test wants an agent to say. */
export async function openSessions({
  store,
  clock,
  newId,
  logger,
  owner,
}: {
  store: Store;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  owner: Actor;
}) {
  let accepting = Promise.resolve();
  const running = new Map<string, Sandbox>();
  const runner: RunnerPort = {
    connected: () => true,
    runnerOf: () => undefined,
    bind: nothing,
    unbind: nothing,
    turn: (sessionId, turnId) => {
      accepting = accepting.then(() => feature.runnerEvents.accepted(sessionId, turnId));
    },
    cancel: nothing,
    decide: nothing,
    ack: nothing,
    drop: nothing,
    call: async () => ({}) as never,
  };
  const hints = await createHints({ store, logger });
  const feature = createSessions({
    store,
    hints,
    clock,
    newId,
    logger,
    runner,
    sandboxes: { hint: nothing, current: (id) => running.get(id) },
    seats: { sure: true, elsewhere: async () => false },
    colleague: { report: async () => undefined },
    harnesses: {
      record: (id) => ({ ...record, id }),
      prepare: async () => ({ hostPath: '/agents' }),
    },
    config: {
      containerEnv: {},
      driver: 'local',
      isolated: true,
      egressSocket: '/run/egress.sock',
      limits: {},
    },
  });
  const stop = new AbortController();
  await feature.start(stop.signal);

  const journals = new Map<string, { sourceId: string; n: number }>();
  const lastSeq = async (sessionId: string): Promise<number> =>
    (await feature.log.page(owner, sessionId, { tail: 0 })).lastSeq;

  /** The agent says all of this; resolves with its last number once it is in the log. */
  async function say(
    sessionId: string,
    items: readonly { kind: string; payload: Record<string, unknown>; turnId?: string }[],
  ): Promise<number> {
    let journal = journals.get(sessionId);
    if (journal === undefined) {
      journal = { sourceId: randomUUID(), n: 0 };
      journals.set(sessionId, journal);
      const { sourceId } = journal;
      await feature.runnerEvents.hello(randomUUID(), [
        { sessionId, sourceId, lastN: 0, generation: 1 },
      ]);
    }
    const { sourceId } = journal;
    const before = await lastSeq(sessionId);
    const numbered = items.map((item) => ({ ...item, n: ++journal.n }));
    feature.runnerEvents.events(sessionId, sourceId, numbered);
    await expect
      .poll(() => lastSeq(sessionId), { timeout: 10_000, interval: 5 })
      .toBeGreaterThanOrEqual(before + items.filter(({ kind }) => kind !== 'agent.session').length);
    return lastSeq(sessionId);
  }

  const script = {
    /** So many notices of so many characters. */
    append: (sessionId: string, count: number, size = 1): Promise<number> =>
      say(
        sessionId,
        Array.from({ length: count }, () => ({
          kind: 'notice',
          payload: { code: 'test', text: 'x'.repeat(size) },
        })),
      ),
    /** Its sandbox runs and its agent takes turns. */
    async ready(sessionId: string): Promise<void> {
      const sandbox: Sandbox = {
        sessionId,
        generation: 1,
        state: 'running',
        notes: [],
        isolated: true,
        door: { socketDir: '/run/door', hostUid: 1000, hostGid: 1000 },
      };
      running.set(sessionId, sandbox);
      await feature.reports.phase(sessionId, { phase: 'starting' });
      await feature.reports.running(sandbox);
      await say(sessionId, [
        { kind: 'sandbox.phase', payload: { phase: 'agent-starting' } },
        { kind: 'agent.session', payload: { agentSessionId: randomUUID() } },
        { kind: 'sandbox.phase', payload: { phase: 'ready' } },
      ]);
      await expect
        .poll(async () => (await feature.sessions.get(owner, sessionId)).status)
        .toBe('idle');
    },
    endTurn: (sessionId: string, turnId: string, text: string): Promise<number> =>
      say(sessionId, [
        { kind: 'turn.started', turnId, payload: { turnId } },
        {
          kind: 'message',
          turnId,
          payload: { messageId: 'm', content: [{ type: 'text', text }] },
        },
        { kind: 'turn.ended', turnId, payload: { turnId, state: 'done', stopReason: 'end_turn' } },
      ]),
    async ask(sessionId: string): Promise<Approval> {
      const approvalId = newId();
      await say(sessionId, [
        {
          kind: 'approval.requested',
          payload: {
            approvalId,
            revision: 1,
            title: 'May I?',
            options: [{ optionId: 'a', name: 'Yes', kind: 'allow_once' }],
          },
        },
      ]);
      return feature.approvals.get(owner, approvalId);
    },
    /** How often one session was read. */
    reads: 0,
    /** The next list fails as if there were a bug. */
    bug: null as Error | null,
  };
  const sessions: Sessions = {
    ...bound(feature.sessions),
    get(actor, id) {
      script.reads += 1;
      return feature.sessions.get(actor, id);
    },
    list(actor, query) {
      const { bug } = script;
      script.bug = null;
      return bug === null ? feature.sessions.list(actor, query) : Promise.reject(bug);
    },
  };
  return {
    sessions,
    turns: feature.turns,
    approvals: feature.approvals,
    log: feature.log,
    script,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await accepting;
      await feature[Symbol.asyncDispose]();
      await hints[Symbol.asyncDispose]();
    },
  };
}

/** The service stands behind a proxy, whose members do not spread by themselves. */
function bound(sessions: Sessions): Sessions {
  return {
    create: (...call) => sessions.create(...call),
    list: (...call) => sessions.list(...call),
    get: (...call) => sessions.get(...call),
    own: (...call) => sessions.own(...call),
    patch: (...call) => sessions.patch(...call),
    remove: (...call) => sessions.remove(...call),
    suspend: (...call) => sessions.suspend(...call),
    resume: (...call) => sessions.resume(...call),
    archive: (...call) => sessions.archive(...call),
    unarchive: (...call) => sessions.unarchive(...call),
    cancel: (...call) => sessions.cancel(...call),
    restartAgent: (...call) => sessions.restartAgent(...call),
    takeBack: (...call) => sessions.takeBack(...call),
    archiveArrived: (...call) => sessions.archiveArrived(...call),
    exportMarkdown: (...call) => sessions.exportMarkdown(...call),
    onChange: (...call) => sessions.onChange(...call),
  };
}
