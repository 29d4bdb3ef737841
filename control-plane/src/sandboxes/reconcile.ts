import { Problem } from '@berth/contract';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { decide, retryMs } from './decide.ts';
import type { Sandbox, SandboxDriver } from './driver.ts';
import type {
  PhaseReport,
  Reconciler,
  SandboxIntent,
  SandboxIntents,
  SandboxReports,
} from './ports.ts';
import { createGate, sleep, untilAborted } from './waiting.ts';

export const reconcileLimits = {
  /** Everything is looked at again this often: hints and watches may be missed. */
  pollMs: 10_000,
  /** An agent that does not stop in order is stopped anyway. */
  quiesceMs: 10_000,
  /** Starts and stops at the same time; the rest waits. */
  parallel: 8,
  /** Up this long, earlier deaths are forgotten. */
  steadyMs: 60_000,
  stepMs: 300_000,
} as const;

export interface ReconcilerOptions {
  driver: SandboxDriver;
  intents: SandboxIntents;
  reports: SandboxReports;
  clock: Clock;
  logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  limits?: Partial<Record<keyof typeof reconcileLimits, number>>;
  retryMs?: (failures: number) => number;
}

/** What is remembered of a session between steps: only what spares a person from reading the same twice, and the pause after a failure. */
interface Memory {
  working: boolean;
  again: boolean;
  urgent: boolean;
  failures: number;
  notBefore: number;
  upSince: number | undefined;
  lastPhase: string | undefined;
  toldNotes: Set<string>;
}

/** What was done to a sandbox failed, with one sentence for a person. */
class MakingFault extends Error {}
async function making<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // Postgres is away: that is nobody's failure.
    if (error instanceof Problem && error.code === 'not-ready') throw error;
    throw new MakingFault(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Makes the world match the intents. One loop per session; a hint only says "look again". */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { driver, intents, reports, clock, logger } = options;
  const limits = { ...reconcileLimits, ...options.limits };
  const pause = options.retryMs ?? retryMs;
  const memories = new Map<string, Memory>();
  const running = new Map<string, Sandbox>();
  const work = new Set<Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  const gate = createGate(limits.parallel);
  let life: AbortSignal | undefined;

  const memoryOf = (sessionId: string): Memory => {
    const known = memories.get(sessionId) ?? {
      working: false,
      again: false,
      urgent: false,
      failures: 0,
      notBefore: 0,
      upSince: undefined,
      lastPhase: undefined,
      toldNotes: new Set<string>(),
    };
    memories.set(sessionId, known);
    return known;
  };

  /** `urgent`: somebody changed the intent, so a pause after a failure is over. */
  function kick(sessionId: string, urgent: boolean): void {
    const signal = life;
    if (!signal || signal.aborted) return;
    const memory = memoryOf(sessionId);
    if (urgent) memory.notBefore = 0;
    if (memory.working) {
      memory.again = true;
      memory.urgent ||= urgent;
      return;
    }
    if (clock.now() < memory.notBefore) return;
    memory.working = true;
    const task = loop(sessionId, memory, signal).finally(() => work.delete(task));
    work.add(task);
  }

  async function loop(sessionId: string, memory: Memory, signal: AbortSignal): Promise<void> {
    const wanted = (): boolean =>
      memory.again && !signal.aborted && (memory.urgent || clock.now() >= memory.notBefore);
    try {
      do {
        memory.again = false;
        memory.urgent = false;
        await tryStep(sessionId, memory, signal);
      } while (wanted());
    } finally {
      // At once, not when the promise is noticed: a hint in between would be lost.
      memory.working = false;
    }
  }

  async function tryStep(sessionId: string, memory: Memory, signal: AbortSignal): Promise<void> {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.stepMs)]);
      await step(sessionId, memory, limit);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ sessionId, err: error }, 'sandbox step failed');
      // Looking or telling failed: nothing is known to be wrong with the sandbox. To say that it failed would take its runner away from it.
      if (!(error instanceof MakingFault)) {
        waitBeforeNext(sessionId, memory);
        return;
      }
      try {
        await failed(sessionId, memory, error.message);
      } catch (reason) {
        logger.error({ sessionId, err: reason }, 'failure could not be told');
      }
    }
  }

  function waitBeforeNext(sessionId: string, memory: Memory): void {
    const waitMs = pause(memory.failures++);
    memory.notBefore = clock.now() + waitMs;
    const timer = setTimeout(() => {
      timers.delete(timer);
      // By the timer, not by the clock: one that was set back would make it wait for as long.
      memory.notBefore = 0;
      kick(sessionId, false);
    }, waitMs);
    timers.add(timer);
  }
  async function failed(
    sessionId: string,
    memory: Memory,
    reason: string,
    logs?: readonly string[],
  ): Promise<void> {
    waitBeforeNext(sessionId, memory);
    await phase(sessionId, memory, { phase: 'failed', reason, ...(logs ? { logs } : {}) });
  }
  /** The same phase for the same reason is told once. */
  async function phase(sessionId: string, memory: Memory, report: PhaseReport): Promise<void> {
    const key = [report.phase, report.reason, report.detail].join(' ').trim();
    if (key === memory.lastPhase && report.progress === undefined) return;
    await reports.phase(sessionId, report);
    memory.lastPhase = key;
  }

  async function step(sessionId: string, memory: Memory, signal: AbortSignal): Promise<void> {
    const intent = await intents.get(sessionId);
    const sandbox = await driver.get(sessionId, signal);
    if (sandbox?.state !== 'running') running.delete(sessionId);
    const next = decide(intent, sandbox);
    switch (next.do) {
      case 'nothing':
        memories.delete(sessionId);
        return;
      case 'confirm-running':
        if (sandbox) await up(sessionId, memory, sandbox);
        return;
      case 'confirm-suspended':
        await phase(sessionId, memory, { phase: 'suspended' });
        memory.failures = 0;
        return;
      case 'confirm-removed':
        await gone(sessionId, memory);
        return;
      case 'recover':
        await lost(sessionId, memory, next.reason, sandbox?.logs);
        if (clock.now() < memory.notBefore) return;
        if (intent) await ensure(intent, 'wake', memory, signal);
        return;
      case 'ensure':
        if (intent) await ensure(intent, next.why, memory, signal);
        return;
      case 'suspend':
        await phase(sessionId, memory, { phase: 'suspending' });
        if (next.quiesce) await quiesce(sessionId, signal);
        running.delete(sessionId);
        await making(() => gate(() => driver.suspend(sessionId, signal)));
        await phase(sessionId, memory, { phase: 'suspended' });
        memory.again ||= intent?.desired === 'running';
        return;
      case 'remove':
        if (intent === null) logger.warn({ sessionId }, 'sandbox of no session removed');
        running.delete(sessionId);
        await making(() => gate(() => driver.remove(sessionId, signal)));
        if (intent === null) memories.delete(sessionId);
        else await gone(sessionId, memory);
    }
  }

  async function gone(sessionId: string, memory: Memory): Promise<void> {
    await phase(sessionId, memory, { phase: 'removed' });
    await reports.removed(sessionId);
    memories.delete(sessionId);
  }

  async function up(sessionId: string, memory: Memory, sandbox: Sandbox): Promise<void> {
    memory.upSince ??= clock.now();
    if (clock.now() - memory.upSince >= limits.steadyMs) memory.failures = 0;
    running.set(sessionId, sandbox);
    memory.lastPhase = undefined;
    await reports.running(sandbox);
  }

  /** The first death is mended at once; one that died again soon after waits. */
  async function lost(
    sessionId: string,
    memory: Memory,
    reason: string,
    logs: readonly string[] | undefined,
  ): Promise<void> {
    const told = memory.lastPhase === `lost ${reason}`;
    if (told) return; // this is the next try, after its pause
    const steady = memory.upSince === undefined || clock.now() - memory.upSince >= limits.steadyMs;
    memory.upSince = undefined;
    if (steady) memory.failures = 0;
    await phase(sessionId, memory, { phase: 'lost', reason, ...(logs ? { logs } : {}) });
    await reports.notice(
      sessionId,
      'sandbox-lost',
      `The sandbox was lost (${reason}). It is started again; its files are kept.`,
    );
    if (memory.failures > 0) waitBeforeNext(sessionId, memory);
    else memory.failures = 1;
  }

  async function ensure(
    intent: SandboxIntent,
    why: 'create' | 'wake' | 'replace',
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    const { sessionId } = intent;
    // The runner makes its sockets while the sandbox starts. Told again below when it runs; when it fails, that takes it back.
    const early = (sandbox: Sandbox): void => {
      const failed = (err: unknown) => logger.warn({ sessionId, err }, 'not told early');
      reports.running(sandbox).catch(failed);
    };
    // It is told in order, and a failure to tell ends the step as any other.
    const begun = phase(sessionId, memory, { phase: why === 'create' ? 'creating' : 'waking' });
    // Of a session that sleeps nothing is believed: that it wakes is stored before anything in it can speak.
    if (why !== 'create') await begun;
    const tell = (report: PhaseReport) => begun.then(() => phase(sessionId, memory, report));
    const make = async (): Promise<Sandbox> => {
      const spec = await making(() => intents.spec(intent, tell, signal));
      const started = making(() => gate(() => driver.ensure(spec, signal, early)));
      return (await Promise.all([started, tell({ phase: 'starting' })]))[0];
    };
    const [sandbox] = await Promise.all([make(), begun]);
    if (sandbox.state === 'failed' || sandbox.state === 'gone') {
      await failed(sessionId, memory, sandbox.reason ?? 'it did not start', sandbox.logs);
      return;
    }
    memory.upSince = undefined;
    await up(sessionId, memory, sandbox);
    for (const note of sandbox.notes) {
      if (memory.toldNotes.has(note)) continue;
      memory.toldNotes.add(note);
      await reports.notice(sessionId, 'sandbox-note', note);
    }
  }

  async function quiesce(sessionId: string, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.quiesceMs)]);
    try {
      await untilAborted(reports.quiesce(sessionId, limit), limit);
    } catch (error) {
      if (signal.aborted) throw error;
      logger.warn({ sessionId, err: error }, 'agent did not stop in order: suspended anyway');
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    for await (const sandbox of driver.watch(signal)) {
      const { sessionId, reason } = sandbox;
      if (sandbox.state === 'running' && reason !== undefined) {
        try {
          await reports.notice(sessionId, 'sandbox-out-of-memory', reason);
        } catch (error) {
          logger.warn({ sessionId, err: error }, 'notice could not be told');
        }
      }
      kick(sessionId, false);
    }
  }

  async function lookAtAll(withOrphans: boolean, signal: AbortSignal): Promise<void> {
    try {
      const ids = new Set((await intents.list()).map((intent) => intent.sessionId));
      if (withOrphans) for (const sandbox of await driver.list(signal)) ids.add(sandbox.sessionId);
      for (const sessionId of ids) kick(sessionId, false);
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, 'sandboxes could not be listed');
    }
  }

  return {
    hint: (sessionId) => kick(sessionId, true),
    current: (sessionId) => running.get(sessionId),
    async run(signal) {
      life = signal;
      const watching = watch(signal);
      try {
        for (let round = 0; !signal.aborted; round++) {
          // Orphans are looked for at the start, and each minute or so: a removal may have been cut off.
          await lookAtAll(round % 6 === 0, signal);
          await sleep(limits.pollMs, signal);
        }
      } finally {
        for (const timer of timers) clearTimeout(timer);
        await watching;
        await Promise.all(work);
      }
    },
  };
}
