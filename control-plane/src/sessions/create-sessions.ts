import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { Reconciler, SandboxIntents, SandboxReports } from '../sandboxes/index.ts';
import type { Hints, Store } from '../store/index.ts';
import { lookAgain } from './advance.ts';
import { createApprovals } from './approvals.ts';
import { createBinding, type SessionContext } from './binding.ts';
import { Changes } from './changes.ts';
import { commandChannel, createCommands, sayOrLeave } from './commands.ts';
import { Background, type Core, type SessionsConfig } from './core.ts';
import { entryOf } from './entries.ts';
import { createEventLog } from './event-log.ts';
import { createEgressGrants, policyChannel, type EgressPolicies } from './egress-grants.ts';
import { countUsage } from './facts.store.ts';
import { createIntents, createReports } from './intents.ts';
import { sessionLimits } from './limits.ts';
import { Feeds } from './log/feeds.ts';
import { createEventReader } from './log/replay.ts';
import type { LogMetrics } from './log/metrics.ts';
import { LogWriter } from './log/writer.ts';
import { Owner } from './owner.ts';
import type { Colleague, HarnessPort, RunnerEvents, RunnerPort, Seats } from './ports.ts';
import { readContext, remoteReport } from './remote.ts';
import { createRunnerEvents } from './runner-events.ts';
import type { Approvals, EventLog, Sessions, Turns } from './services.ts';
import { createSessionsService } from './sessions.ts';
import { answeringNotReady, throughOutages } from './sql.ts';
import { mend } from './take-over.ts';
import { createTicks } from './ticks.ts';
import { createTurns } from './turns.ts';

export interface SessionsOptions {
  store: Pick<Store, 'pool' | 'connect'>;
  hints: Pick<Hints, 'publish' | 'listen'>;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  runner: RunnerPort;
  sandboxes: Pick<Reconciler, 'hint' | 'current'>;
  seats: Seats;
  colleague: Colleague;
  harnesses: HarnessPort;
  config: SessionsConfig;
  metrics?: LogMetrics;
}
export interface Usage {
  model: string;
  inputTokens: number;
  outputTokens: number;
  cachedTokens?: number;
  costUsd?: string;
}
export interface SessionsFeature extends AsyncDisposable {
  readonly sessions: Sessions;
  readonly turns: Turns;
  readonly approvals: Approvals;
  readonly log: EventLog;
  readonly runnerEvents: RunnerEvents;
  readonly intents: SandboxIntents;
  readonly reports: SandboxReports;
  readonly egressPolicies: EgressPolicies;
  /** What the reconciler of another process tells of a session whose link is here. */
  remoteReport(sessionId: string, name: string, body: unknown): Promise<void>;
  /** A session whose runner is bound here; undefined: none. */
  sessionContext(sessionId: string): SessionContext | undefined;
  /** The same from the rows, for a session that this runner serves through another process. */
  readContext(runnerId: string, sessionId: string): Promise<SessionContext | undefined>;
  /** An agent was changed: what its sessions may reach follows at once. */
  agentChanged(agentId: string): Promise<void>;
  /** Goes into the log, and with it into the session's sums. */
  recordUsage(sessionId: string, usage: Usage): void;
  notice(sessionId: string, code: string, text: string): void;
  /** Listens to other processes and to time. Resolves when it listens; goes on until the signal. */
  start(signal: AbortSignal): Promise<void>;
  /** Takes nothing more, writes what is queued. */
  close(): Promise<void>;
}

const logChannel = 'session_log';

export function createSessions(options: SessionsOptions): SessionsFeature {
  const { store, hints, clock } = options;
  const logger = options.logger.child({ part: 'sessions' });
  const closing = new AbortController();
  const background = new Background(logger);
  const reader = createEventReader(store.pool);
  const feeds = new Feeds({ table: reader, logger });
  const changes = new Changes({ hints, processId: randomUUID() });
  const dirty = new Set<string>();
  const counting = new Set<string>();

  const writer = new LogWriter({
    connect: () => store.connect('session log'),
    logger,
    committed: (sessionId, events) => {
      feeds.local(sessionId, events);
      const last = events.at(-1);
      if (last !== undefined)
        hints.publish(logChannel, `${sessionId} ${String(last.seq)}`, sessionId);
      if (events.some(({ kind }) => kind === 'message' || kind === 'thought')) dirty.add(sessionId);
      // Whoever waits for the end of a turn looks at the log, which has it now.
      const teamId = owner.get(sessionId)?.teamId;
      if (teamId !== undefined && events.some(({ kind }) => kind === 'turn.ended'))
        changes.tell({ teamId, sessionId, approvals: false });
    },
    lost: (sessionId, log, lost) => {
      logger.warn({ sessionId, reason: lost.reason }, 'a session is no longer written here');
      // Rows may stand whose events were queued here: whoever has the session now looks. When nobody has it, the next one to take it over does.
      if (lost.reason === 'fenced') background.add(leaveLook(sessionId), 'a session that is lost');
      // What its runner sent and we did not acknowledge comes again.
      if (owner.get(sessionId)?.log === log && options.runner.connected(sessionId))
        options.runner.drop(sessionId);
    },
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
  });
  async function leaveLook(sessionId: string): Promise<void> {
    if (await options.seats.elsewhere(sessionId)) await core.commands.leave(sessionId);
  }
  const owner = new Owner({
    pool: store.pool,
    writer,
    now: () => clock.now(),
    seats: options.seats,
    connected: (sessionId) => options.runner.connected(sessionId),
    signal: closing.signal,
    takenOver: async (taken) => {
      dirty.add(taken.owned.sessionId);
      await throughOutages(() => mend(core, taken), closing.signal);
    },
    doubted: (sessionId) => background.add(lookAgain(core, sessionId), 'a session in doubt'),
  });
  const core: Core = {
    pool: store.pool,
    clock,
    newId: options.newId,
    logger,
    runner: options.runner,
    sandboxes: options.sandboxes,
    harnesses: options.harnesses,
    config: options.config,
    changes,
    owner,
    seats: options.seats,
    commands: createCommands({ pool: store.pool, hints, clock, newId: options.newId }),
    colleague: options.colleague,
    signal: closing.signal,
    background: (work, what) => background.add(work, what),
  };
  const binding = createBinding(core);
  const grants = createEgressGrants({
    pool: store.pool,
    hints,
    socket: options.config.egressSocket,
    refreshed: (sessionId) => binding.refresh(sessionId),
    agentRefreshed: (agentId) => binding.agentChanged(agentId),
  });
  const reports = createReports(core, binding, grants);
  const sessions = answeringNotReady(createSessionsService(core, reader, grants));
  const intents = createIntents(core);
  const asked = answeringNotReady(intents);
  const ticks = createTicks(core, { dirty, feeds });

  async function close(): Promise<void> {
    if (closing.signal.aborted) return;
    ticks.stop();
    await background.settled(sessionLimits.closeMs);
    closing.abort();
    await writer.close(sessionLimits.closeMs);
    await background.settled(sessionLimits.closeMs);
    feeds.close();
  }

  return {
    sessions,
    turns: answeringNotReady(createTurns(core)),
    approvals: answeringNotReady(createApprovals(core)),
    log: answeringNotReady(createEventLog({ pool: store.pool, reader, feeds })),
    runnerEvents: createRunnerEvents(core, writer, binding, grants),
    // An outage of the database is no failure of a sandbox. What `spec` throws is for a person: it installs.
    intents: { ...intents, get: asked.get, list: asked.list },
    reports: answeringNotReady(reports),
    remoteReport: (sessionId, name, body) => remoteReport(reports.here, sessionId, name, body),
    egressPolicies: grants.policies,
    sessionContext: (sessionId) => binding.context(sessionId),
    readContext: (runnerId, sessionId) => readContext(store.pool, runnerId, sessionId),
    agentChanged: (agentId) => grants.agentChanged(agentId),
    recordUsage(sessionId, usage) {
      const { costUsd, ...tokens } = usage;
      const work = async () => {
        const payload = { ...tokens, ...(costUsd === undefined ? {} : { costUsd }) };
        const entry = entryOf('usage', payload, clock.now());
        if (!(await sayOrLeave(core, sessionId, () => [entry]))) return;
        // Those that come meanwhile are counted with it.
        if (counting.has(sessionId)) return;
        counting.add(sessionId);
        await pause(sessionLimits.usageMs);
        counting.delete(sessionId);
        await throughOutages(() => countUsage(store.pool, sessionId), closing.signal);
        const teamId = owner.get(sessionId)?.teamId;
        if (teamId !== undefined) changes.tell({ teamId, sessionId, approvals: false });
      };
      core.background(work(), 'usage');
    },
    notice(sessionId, code, text) {
      const entry = entryOf('notice', { code, text }, clock.now());
      core.background(
        sayOrLeave(core, sessionId, () => [entry]),
        'a notice',
      );
    },
    async start(signal) {
      const stopLog = await hints.listen(logChannel, (hint) => {
        if (hint === 'everything') core.background(feeds.poll(), 'a poll of the watched logs');
        else
          for (const text of hint) {
            const [sessionId, seq] = text.split(' ');
            if (sessionId !== undefined) feeds.hint(sessionId, Number(seq));
          }
      });
      const stopChanges = await hints.listen(Changes.channel, (hint) => {
        if (hint !== 'everything') for (const text of hint) changes.hinted(text);
      });
      // Until the end: while others wait for us to leave, they still leave us what there is to do.
      const stopCommands = await hints.listen(commandChannel, (hint) => {
        if (hint === 'everything') return; // the poll comes
        for (const sessionId of hint) core.background(lookAgain(core, sessionId), 'a command');
      });
      const stopPolicies = await hints.listen(policyChannel, (hint) => {
        if (hint === 'everything') return; // bound anew by the reconciler's next look
        for (const text of hint)
          core.background(grants.hinted(text), 'a change of what is allowed');
      });
      closing.signal.addEventListener('abort', () => {
        stopCommands();
        stopPolicies();
      });
      ticks.start();
      signal.addEventListener(
        'abort',
        () => {
          ticks.stop();
          stopLog();
          stopChanges();
        },
        { once: true },
      );
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
