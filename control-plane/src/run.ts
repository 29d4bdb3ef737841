import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { once } from 'node:events';
import type { Meta } from '@berth/contract';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { createAgents, createHarnesses } from './agents/index.ts';
import { systemClock, timestamp } from './clock.ts';
import type { Config } from './config.ts';
import { openDatabase } from './database.ts';
import { openGateway } from './open-gateway.ts';
import { greeting } from './greeting.ts';
import { createIdentity, type Actor } from './identity/index.ts';
import { createIds } from './ids.ts';
import { listenFault } from './listen-fault.ts';
import type { LocalFile } from './local-file.ts';
import { createLogMetrics } from './log-metrics.ts';
import type { Places } from './places.ts';
import { createRunners, startLocalRunner } from './runners/index.ts';
import {
  createLocalDriver,
  createReconciler,
  type Reconciler,
  type SandboxReports,
} from './sandboxes/index.ts';
import { createSessions, type RunnerEvents, type SessionsFeature } from './sessions/index.ts';
import { createTerminals, type Terminals } from './terminals/index.ts';
import { startEgress } from './vault/index.ts';
import { version } from './version.ts';
import { createWeb } from './web/index.ts';
import { createWorkspaces } from './workspaces/index.ts';

/** What a sandbox may use unless the operator says otherwise; what the system cannot enforce is said on the session. */
const sandboxLimits = { memoryBytes: 4 * 1024 ** 3, pids: 1024 };
const sweepEveryMs = 10 * 60_000;

/**
 * Everything of the embedded start, built top to bottom in the order in which parts depend on each other, closed bottom to top. Three circles are closed by asking late:
 * the link's server tells sessions, which speak through the link; the reconciler reads intents of sessions, which hint it; agents that change tell their sessions.
 */
export async function run(parts: {
  config: Config;
  logger: Logger;
  places: Places;
  localFile: LocalFile;
  signal: AbortSignal;
}): Promise<void> {
  const { config, logger, places, localFile, signal } = parts;
  const clock = systemClock;
  const newId = createIds(clock);
  const metrics = new Registry();
  await using scope = new AsyncDisposableStack();
  localFile.prepare();

  const driver = createLocalDriver({
    dataDir: config.dataDir,
    agentdDir: places.agentd,
    nodeDir: places.nodeDir,
    clock,
    logger,
    unsafe: config.sandbox === 'unsafe',
  });
  // Looks at the machine while Postgres starts.
  const probing = driver.probe(signal, (text) => process.stderr.write(`berth: ${text}\n`));
  probing.catch(() => undefined); // awaited below, where its failure ends the start
  const { store, hints } = await openDatabase({
    config,
    migrations: places.migrations,
    logger,
    scope,
  });

  const identity = createIdentity({ sql: store.pool, clock, newId });
  const owner = await identity.ensureOwner({ user: userName(), team: 'My team' });
  const harnesses = createHarnesses({
    harnessesDir: places.harnesses,
    dataDir: config.dataDir,
    distDir: places.dist,
    nodeDir: places.nodeDir,
    logger,
    clock,
  });
  const late: { events?: RunnerEvents; reconciler?: Reconciler; sessions?: SessionsFeature } = {};
  const agents = createAgents({
    sql: store.pool,
    clock,
    newId,
    harnesses,
    changed: (agentId) => known(late.sessions).agentChanged(agentId),
  });
  await agents.ensureRehearsal(owner.teamId);

  const egress = scope.use(
    await startEgress({
      script: places.vaultScript,
      socketPath: places.egressSocket,
      trusted: config.egressTrusted,
      keepMs: config.egressKeepMs,
      store,
      clock,
      newId,
      logger,
    }),
  );
  const health = await probing;

  const runners = createRunners({ store, clock, newId, logger, events: () => known(late.events) });
  const sessions = createSessions({
    store,
    hints,
    clock,
    newId,
    logger,
    runner: runners.port,
    sandboxes: {
      hint: (id) => late.reconciler?.hint(id),
      current: (id) => late.reconciler?.current(id),
    },
    harnesses,
    config: {
      containerEnv: config.containerEnv,
      driver: driver.name,
      isolated: health.isolated,
      egressSocket: egress.socketPath,
      limits: sandboxLimits,
    },
    metrics: createLogMetrics(metrics),
  });
  scope.use(sessions);
  late.sessions = sessions;
  const terminals = createTerminals({
    store,
    clock,
    newId,
    runner: runners.port,
    streams: runners.streams,
    sessions: () => sessions.sessions,
  });
  late.events = sessions.runnerEvents;
  const reconciler = createReconciler({
    driver,
    intents: sessions.intents,
    reports: closingTerminals(sessions.reports, terminals),
    clock,
    logger,
  });
  late.reconciler = reconciler;
  scope.defer(
    sessions.egressPolicies.watch({
      set: (policy) => egress.setPolicy(policy),
      forget: (sessionId) => egress.forget(sessionId),
    }),
  );

  const gateway = scope.use(openGateway({ config, clock, logger, runners, sessions }));
  const workspaces = createWorkspaces({
    runner: runners.port,
    streams: runners.streams,
    sessions: sessions.sessions,
    sandboxLogs: (sessionId, tail) => driver.logs(sessionId, tail),
  });
  scope.defer(() => runners.close());

  const meta = (): Meta => {
    const { configured, virtualKeys, version: gatewayVersion } = gateway.health();
    return {
      name: 'berth',
      version,
      channels: 1,
      terminal: 1,
      gateway: {
        configured,
        virtualKeys,
        ...(gatewayVersion === undefined ? {} : { version: gatewayVersion }),
      },
      drivers: [driver.name],
      isolation: {
        isolated: health.isolated,
        ...(health.detail === undefined ? {} : { detail: health.detail }),
      },
    };
  };
  const web = scope.use(
    createWeb({
      config: { publicUrl: config.publicUrl, listenHost: config.host },
      logger,
      clock,
      newId,
      store,
      identity,
      agents,
      harnesses,
      sessions: sessions.sessions,
      turns: sessions.turns,
      approvals: sessions.approvals,
      log: sessions.log,
      terminals,
      workspaces,
      gateway: (request, response) => gateway.handle(request, response),
      runners,
      meta,
      metrics,
      webviewDir: places.webview,
      ready: () => readiness(store),
    }),
  );

  await sessions.start(signal);
  const { url } = await web.listen(config.port, config.host).catch((error: unknown) => {
    throw listenFault(error, config);
  });
  const token = await identity.localToken(owner, localFile.previousToken());
  const localRunner = await runners.ensureLocal({ stateDir: places.runnerState });
  scope.use(
    await startLocalRunner({
      stateDir: places.runnerState,
      runnerScript: places.runnerScript,
      nodeBinary: places.nodeBinary,
      url,
      identity: localRunner,
      busy: () => anyTurnOpen(sessions, owner),
      foreign: () => runners.foreign(localRunner.runnerId),
      logger,
    }),
  );
  const reconciling = reconciler.run(signal);
  reconciling.catch((error: unknown) => logger.error({ err: error }, 'the reconciler ended'));
  const sweeper = setInterval(() => {
    identity
      .sweep()
      .catch((error: unknown) => logger.warn({ err: error }, 'expired sign-ins were not swept'));
  }, sweepEveryMs);
  scope.defer(() => clearInterval(sweeper));

  localFile.write({ url, token, pid: process.pid, version, startedAt: timestamp(clock.now()) });
  scope.defer(() => localFile.remove(process.pid));
  process.stdout.write(`berth ready ${url}\n`);
  const signIn = await identity.createSignInLink(owner, config.publicUrl ?? url);
  process.stderr.write(
    greeting({
      url,
      signInUrl: signIn.url,
      vsix: existsSync(places.vsix) ? places.vsix : undefined,
      gateway: { configured: config.gateway !== undefined, problem: gateway.health().problem },
      refusal: health.refusal,
      isolated: health.isolated,
    }),
  );

  if (!signal.aborted) await once(signal, 'abort');
  await web.drain(config.drainMs);
  logger.debug('no request left');
  await reconciling;
  logger.debug('no sandbox is being worked on');
}

/** In a container the uid may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'owner';
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('asked before it was made');
  return value;
}

/** The sandbox's processes are gone, and every terminal with them. */
function closingTerminals(
  reports: SandboxReports,
  terminals: Pick<Terminals, 'sessionEnded'>,
): SandboxReports {
  return {
    ...reports,
    phase: async (sessionId, report) => {
      await reports.phase(sessionId, report);
      if (report.phase === 'suspended')
        await terminals.sessionEnded(sessionId, 'The session was suspended.');
      if (report.phase === 'lost' || report.phase === 'removed')
        await terminals.sessionEnded(sessionId, 'The sandbox is gone.');
    },
  };
}

/** A turn runs somewhere, or waits for a person in its middle: a runner of another build may not be replaced now. */
async function anyTurnOpen(
  { sessions }: Pick<SessionsFeature, 'sessions'>,
  owner: Actor,
): Promise<boolean> {
  for (const status of ['running', 'waiting', 'stalled'] as const) {
    if ((await sessions.list(owner, { status, limit: 1 })).items.length > 0) return true;
  }
  return false;
}

async function readiness(store: {
  pool: { query(text: string): Promise<unknown> };
}): Promise<string[]> {
  try {
    await store.pool.query('select 1');
    return [];
  } catch (error) {
    return [
      `the database does not answer: ${error instanceof Error ? error.message : String(error)}`,
    ];
  }
}
