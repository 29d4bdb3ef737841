import { advance, lookAgain } from './advance.ts';
import { atOwner } from './commands.ts';
import { commandedSessions } from './commands.store.ts';
import type { Core } from './core.ts';
import { readyHere } from './facts.store.ts';
import { lifecycleLimits } from './lifecycle.ts';
import { sessionLimits } from './limits.ts';
import type { Feeds } from './log/feeds.ts';
import { sweepDeltas } from './log/sweep.ts';
import { Elsewhere, type Owned } from './owner.ts';
import { idleTooLong, suspendIdle } from './idle.store.ts';
import { inTransaction } from './sql.ts';

/** What only time tells: silence, a missed runner, idleness; and what is due now and then: the sweep, the poll. */
export function createTicks(
  core: Core,
  { dirty, feeds }: { dirty: Set<string>; feeds: Feeds },
): { start(): void; stop(): void } {
  const timers: NodeJS.Timeout[] = [];

  /** Looks in memory first: the database is asked only where the answer may have changed. */
  function mayHaveChanged(owned: Owned, now: number): boolean {
    const connected = core.runner.connected(owned.sessionId);
    if (connected) owned.missedAt = null;
    else owned.missedAt ??= now;
    switch (owned.status) {
      case 'running':
      case 'waiting':
      case 'idle':
      case 'stalled':
        return (
          (owned.missedAt !== null && now - owned.missedAt >= lifecycleLimits.unreachableMs) ||
          (owned.status === 'running' && now - owned.heardAt >= lifecycleLimits.stalledMs)
        );
      case 'lost':
        return connected;
      case 'starting':
      case 'suspending':
      case 'suspended':
      case 'waking':
      case 'failed':
        return false;
    }
  }

  /** What another process has by now is no longer ours to look at; it looks itself. */
  async function look(sessionId: string): Promise<void> {
    try {
      await core.owner.run(sessionId, (owned) => advance(core, owned));
    } catch (error) {
      if (!(error instanceof Elsewhere)) throw error;
    }
  }
  /** What a hint did not tell. */
  async function poll(): Promise<void> {
    await feeds.poll();
    for (const id of await commandedSessions(core.pool)) await lookAgain(core, id);
  }

  async function tick(): Promise<void> {
    const now = core.clock.now();
    for (const owned of core.owner.all())
      if (mayHaveChanged(owned, now)) await look(owned.sessionId);
  }

  async function slowTick(): Promise<void> {
    const now = new Date(core.clock.now());
    for (const id of await idleTooLong(core.pool, now)) {
      if (!(await inTransaction(core.pool, (sql) => suspendIdle(sql, id, now)))) continue;
      core.logger.info({ sessionId: id }, 'an idle session is suspended');
      core.sandboxes.hint(id);
      await atOwner(core, id, (owned) => advance(core, owned));
    }
    // Sessions whose runner did not come back after our start: nothing has touched them yet.
    for (const id of await readyHere(core.pool))
      if (core.owner.get(id) === undefined && !core.runner.connected(id)) await look(id);
    for (const id of [...dirty]) {
      dirty.delete(id);
      const swept = await sweepDeltas(core.pool, id, core.signal).catch((error: unknown) => {
        dirty.add(id);
        throw error;
      });
      if (swept > 0) core.logger.debug({ sessionId: id, swept }, 'superseded deltas deleted');
    }
  }

  function every(ms: number, work: () => Promise<void>, what: string): void {
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      core.background(
        work().finally(() => {
          busy = false;
        }),
        what,
      );
    }, ms);
    timer.unref();
    timers.push(timer);
  }

  return {
    start() {
      every(sessionLimits.tickMs, tick, 'the tick of sessions');
      every(sessionLimits.slowTickMs, slowTick, 'the slow tick of sessions');
      every(sessionLimits.pollMs, poll, 'the poll of watched logs and of commands');
    },
    stop() {
      for (const timer of timers.splice(0)) clearInterval(timer);
    },
  };
}
