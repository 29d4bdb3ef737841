import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { once } from 'node:events';
import type { Meta } from '@berth/contract';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { createAgents, createHarnesses } from './agents/index.ts';
import { systemClock, timestamp } from './clock.ts';
import type { Config } from './config.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { openDatabase, readiness } from './database.ts';
import { openGateway } from './open-gateway.ts';
import { anyTurnOpen, tellWorking } from './at-work.ts';
import { watchDatabase } from './database-watch.ts';
import { watchDisk } from './disk-watch.ts';
import { greeting } from './greeting.ts';
import { createIdentity } from './identity/index.ts';
import { createIds } from './ids.ts';
import { listenFault } from './listen-fault.ts';
import type { LocalFile } from './local-file.ts';
import { createLogMetrics } from './log-metrics.ts';
import {
  closingTerminals,
  openWorker,
  probeMachine,
  sandboxFacts,
  toldReconciler,
} from './open-worker.ts';
import type { Places } from './places.ts';
import {
  colleague,
  linkUrls,
  reachableUrl,
  remoteSandboxLogs,
  replicaCalls,
} from './replica-calls.ts';
import { createDoor, createReplicas } from './replicas/index.ts';
import { createRunners, startLocalRunner } from './runners/index.ts';
import { createReconciler, type Reconciler } from './sandboxes/index.ts';
import { createSessions, type RunnerEvents, type SessionsFeature } from './sessions/index.ts';
import { createTerminals } from './terminals/index.ts';
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
  localFile.prepare(); // before anybody else makes folders in it
  const serves = config.roles.includes('web');
  if (config.roles.includes('worker')) scope.use(await lockDataDir(config.dataDir, logger));
  const machine = config.roles.includes('worker')
    ? probeMachine({ config, places, clock, logger, signal })
    : undefined;

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

  const worker =
    machine === undefined
      ? undefined
      : await openWorker({ machine, config, places, store, clock, newId, logger, scope });
  const replicas = scope.use(
    await createReplicas({ store, hints, clock, newId, logger, roles: config.roles }),
  );
  const facts = sandboxFacts(worker, replicas);
  const told = toldReconciler(hints, () => late.reconciler);

  const events = () => known(late.events);
  const runners = createRunners({ store, clock, newId, logger, events, replicas });
  const sessions = createSessions({
    store,
    hints,
    clock,
    newId,
    logger,
    runner: runners.port,
    sandboxes: {
      hint: (id) => told.hint(id),
      current: (id) => late.reconciler?.current(id),
    },
    seats: replicas,
    colleague: colleague(replicas),
    harnesses,
    config: {
      containerEnv: config.containerEnv,
      get driver() {
        return facts()?.driver ?? 'local';
      },
      get isolated() {
        return facts()?.isolated ?? true;
      },
      egressSocket: worker?.egress.socketPath ?? '',
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
  if (worker !== undefined) {
    const { driver, egress } = worker;
    late.reconciler = createReconciler({
      driver,
      intents: sessions.intents,
      reports: closingTerminals(sessions.reports, terminals),
      clock,
      logger,
    });
    scope.defer(
      sessions.egressPolicies.watch({
        set: (policy) => egress.setPolicy(policy),
        forget: (sessionId) => egress.forget(sessionId),
      }),
    );
    scope.defer(await told.listen());
  }

  const gateway = scope.use(openGateway({ config, clock, logger, runners, sessions }));
  const ownLogs = worker?.logs;
  const workspaces = createWorkspaces({
    runner: runners.port,
    streams: runners.streams,
    sessions: sessions.sessions,
    sandboxLogs: ownLogs ?? remoteSandboxLogs(replicas),
  });
  scope.defer(() => runners.close());

  const meta = (): Meta => {
    const sandboxes = facts();
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
      drivers: sandboxes === undefined ? [] : [sandboxes.driver],
      isolation: {
        isolated: sandboxes?.isolated ?? true,
        ...(sandboxes?.detail === undefined ? {} : { detail: sandboxes.detail }),
      },
    };
  };
  const folders = [config.dataDir, places.runnerState];
  const disk = scope.use(watchDisk({ folders, logger, tell: tellWorking(sessions, owner) }));
  const web = scope.use(
    createWeb({
      config: {
        publicUrl: config.publicUrl,
        listenHost: config.host,
        replicaUrl: config.replicaUrl ?? reachableUrl('http://127.0.0.1', config.host),
        closed: !serves,
      },
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
      internal: createDoor({
        replicas,
        calls: replicaCalls({ runners, sessions, sandboxLogs: ownLogs }),
        logger,
      }),
      runners,
      meta,
      metrics,
      webviewDir: places.webview,
      ready: async () => [...(await readiness(store)), ...(disk.problem ? [disk.problem] : [])],
    }),
  );

  await sessions.start(signal);
  const { url } = await web.listen(config.port, config.host).catch((error: unknown) => {
    throw listenFault(error, config);
  });
  await replicas.start({
    url: config.replicaUrl ?? reachableUrl(url, config.host),
    facts: worker?.facts ?? null,
  });
  // Whoever looks at us saw what was true before; what we held may have moved on. Alone, nobody took it.
  replicas.onAway(() => {
    if (replicas.others().length > 0) web.comeBack();
  });
  // Terminals go on without the database.
  scope.use(watchDatabase({ pool: store.pool, away: () => web.comeBack('channels'), logger }));
  let reconciling = Promise.resolve();
  if (worker !== undefined) {
    const identityOfRunner = await runners.ensureLocal({ stateDir: places.runnerState });
    const dialled = () =>
      linkUrls({ configured: config.linkUrls, own: serves ? url : undefined, replicas });
    const localRunner = scope.use(
      await startLocalRunner({
        stateDir: places.runnerState,
        runnerScript: places.runnerScript,
        nodeBinary: places.nodeBinary,
        urls: dialled(),
        identity: identityOfRunner,
        busy: () => anyTurnOpen(sessions, owner),
        foreign: () => runners.foreign(identityOfRunner.runnerId),
        logger,
      }),
    );
    replicas.onChange(() => {
      localRunner
        .dial(dialled())
        .catch((error: unknown) => logger.error({ err: error }, 'link.json was not written'));
    });
    reconciling = known(late.reconciler).run(signal);
    reconciling.catch((error: unknown) => logger.error({ err: error }, 'the reconciler ended'));
  }
  const sweeper = setInterval(() => {
    identity
      .sweep()
      .catch((error: unknown) => logger.warn({ err: error }, 'expired sign-ins were not swept'));
  }, sweepEveryMs);
  scope.defer(() => clearInterval(sweeper));

  // One that does everything is this machine's own: editor and command line of its user sign in by themselves.
  if (worker !== undefined && serves) {
    const token = await identity.localToken(owner, localFile.previousToken());
    localFile.write({ url, token, pid: process.pid, version, startedAt: timestamp(clock.now()) });
    scope.defer(() => localFile.remove(process.pid));
  }
  process.stdout.write(`berth ready ${url}\n`);
  const signIn = await identity.createSignInLink(owner, config.publicUrl ?? url);
  process.stderr.write(
    greeting({
      url,
      signInUrl: signIn.url,
      vsix: existsSync(places.vsix) ? places.vsix : undefined,
      gateway: { configured: config.gateway !== undefined, problem: gateway.health().problem },
      refusal: worker?.refusal,
      isolated: facts()?.isolated ?? true,
    }),
  );

  if (!signal.aborted) await once(signal, 'abort');
  // Nobody new is let in from here on. Another process that lives serves the runners while we end what runs here.
  const drained = web.drain(config.drainMs);
  if (replicas.others().some(({ roles }) => roles.includes('web'))) runners.handOver();
  await drained;
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
