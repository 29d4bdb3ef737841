import type { Logger } from 'pino';
import * as z from 'zod/mini';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { NewId } from './ids.ts';
import type { Places } from './places.ts';
import type { Replicas } from './replicas/index.ts';
import { createLocalDriver, type SandboxDriver, type SandboxReports } from './sandboxes/index.ts';
import type { Hints, Store } from './store/index.ts';
import type { Terminals } from './terminals/index.ts';
import { startEgress, type Egress } from './vault/index.ts';
import { takeWorkerLock } from './worker-lock.ts';

/** What sandboxes are like here, or where the worker is. Everybody may ask a worker for it: it goes with its heartbeat. */
const factsShape = z.object({
  driver: z.string(),
  isolated: z.boolean(),
  detail: z.optional(z.string()),
});
export type SandboxFacts = z.infer<typeof factsShape>;

export interface Worker {
  readonly driver: SandboxDriver;
  readonly egress: Egress;
  readonly facts: SandboxFacts;
  /** What a sandbox's own main process wrote. */
  readonly logs: (sessionId: string, tail: number) => Promise<string[]>;
  /** Set when no sandbox can be made: one sentence with the remedy. */
  readonly refusal: string | undefined;
}

/** The machine is looked at while Postgres starts. */
export function probeMachine(parts: {
  config: Config;
  places: Places;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}) {
  const { config, places, clock, logger, signal } = parts;
  const driver = createLocalDriver({
    dataDir: config.dataDir,
    agentdDir: places.agentd,
    nodeDir: places.nodeDir,
    clock,
    logger,
    unsafe: config.sandbox === 'unsafe',
  });
  const probing = driver.probe(signal, (text) => process.stderr.write(`berth: ${text}\n`));
  probing.catch(() => undefined); // awaited by `openWorker`, where its failure ends the start
  return { driver, probing };
}

export async function openWorker(parts: {
  machine: ReturnType<typeof probeMachine>;
  config: Config;
  places: Places;
  store: Store;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  scope: AsyncDisposableStack;
}): Promise<Worker> {
  const { machine, config, places, store, clock, newId, logger, scope } = parts;
  scope.use(await takeWorkerLock({ store, logger }));
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
  const { isolated, detail, refusal } = await machine.probing;
  const { driver } = machine;
  const facts = { driver: driver.name, isolated, ...(detail === undefined ? {} : { detail }) };
  const logs = (sessionId: string, tail: number) => driver.logs(sessionId, tail);
  return { driver, egress, facts, logs, refusal };
}

/** Ours, or those of the worker that lives; before one was seen, what is usual. */
export function sandboxFacts(
  worker: Worker | undefined,
  replicas: Pick<Replicas, 'others'>,
): () => SandboxFacts | undefined {
  let last: SandboxFacts | undefined;
  return () => {
    if (worker !== undefined) return worker.facts;
    for (const { roles, facts } of replicas.others()) {
      const parsed = z.safeParse(factsShape, facts);
      if (roles.includes('worker') && parsed.success) last = parsed.data;
    }
    return last;
  };
}

const intentChannel = 'sandbox_intent';

/** A change of intent reaches the process whose reconciler makes it true. */
export function toldReconciler(
  hints: Pick<Hints, 'publish' | 'listen'>,
  own: () => { hint(sessionId: string): void } | undefined,
) {
  return {
    hint(sessionId: string): void {
      const reconciler = own();
      if (reconciler === undefined) hints.publish(intentChannel, sessionId);
      else reconciler.hint(sessionId);
    },
    /** Only where the reconciler is. */
    listen: () =>
      hints.listen(intentChannel, (hint) => {
        // What was missed is seen by the reconciler's own look at everything.
        if (hint !== 'everything') for (const sessionId of hint) own()?.hint(sessionId);
      }),
  };
}

/** The sandbox's processes are gone, and every terminal with them. */
export function closingTerminals(
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
