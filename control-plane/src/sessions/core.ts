import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { Reconciler } from '../sandboxes/index.ts';
import type { Changes } from './changes.ts';
import type { Commands } from './commands.ts';
import type { Entry } from './log/entry.ts';
import type { Owned, Owner } from './owner.ts';
import type { Colleague, HarnessPort, RunnerPort, Seats } from './ports.ts';

export interface SessionsConfig {
  /** `CONTAINER_ENV_X`: what every sandbox sees. */
  containerEnv: Readonly<Record<string, string>>;
  /** Name of the driver that makes sandboxes here, and whether it isolates. */
  driver: string;
  isolated: boolean;
  /** The egress proxy's socket, for the runner. */
  egressSocket: string;
  limits: { memoryBytes?: number; pids?: number; cpus?: number; diskBytes?: number };
}

/** What the parts of this folder share. */
export interface Core {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly logger: Logger;
  readonly runner: RunnerPort;
  readonly sandboxes: Pick<Reconciler, 'hint' | 'current'>;
  readonly harnesses: HarnessPort;
  readonly config: SessionsConfig;
  readonly changes: Changes;
  readonly owner: Owner;
  readonly seats: Seats;
  readonly commands: Commands;
  readonly colleague: Colleague;
  readonly signal: AbortSignal;
  /** Work that nobody waits for: its failure is logged, `close` awaits it. */
  background(work: Promise<unknown>, what: string): void;
}

export const changed = (core: Core, owned: Owned, approvals = false): void =>
  core.changes.tell({ teamId: owned.teamId, sessionId: owned.sessionId, approvals });

/** Queues events of our own; a session that is lost meanwhile says so by its runner, which sends again. */
export function say(owned: Owned, entries: readonly Entry[], then?: () => void): void {
  if (entries.length === 0) return;
  owned.log.append({
    entries,
    done: (lost) => {
      if (lost === null) then?.();
    },
  });
}

export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #logger: Logger;
  constructor(logger: Logger) {
    this.#logger = logger;
  }
  add(work: Promise<unknown>, what: string): void {
    const guarded: Promise<void> = work.then(
      () => this.#done(guarded),
      (error: unknown) => {
        this.#logger.error({ err: error, what }, 'work in the background failed');
        this.#done(guarded);
      },
    );
    this.#running.add(guarded);
  }
  #done(work: Promise<void>): void {
    this.#running.delete(work);
  }
  async settled(limitMs: number): Promise<void> {
    const limit = new AbortController();
    await Promise.race([
      (async () => {
        while (this.#running.size > 0) await Promise.all(this.#running);
      })(),
      pause(limitMs, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
  }
}
