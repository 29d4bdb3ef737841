import { until, type Berth } from '../support/berth.ts';
import type { Network } from './proxy.ts';
import type { Reader, Seen } from './reader.ts';
import type { Kill, Victim } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { kill as killProcess, type World } from './world.ts';

/** What a killer needs of a session. */
export interface Target {
  readonly sessionId: string;
  readonly reader: Reader;
  /** Resolves at the count-th request from now on. */
  requests(count: number): Promise<void>;
}
/** How long it took until the next event, in ms: from the kill, and from when the victim itself was there again. */
export interface Recovery {
  readonly victim: Victim;
  readonly sinceKillMs: number;
  readonly sinceUpMs?: number;
}
export interface KillerReport {
  /** Struck, by victim. */
  readonly struck: Record<string, number>;
  /** The victim was not there at its moment. */
  readonly missed: Record<string, number>;
  readonly recoveries: readonly Recovery[];
  /** The control plane could not be started. */
  readonly faults: readonly string[];
}

/** A moment that does not come is not waited for longer. */
const momentMs = 4000;
const recoveryMs = 60_000;
const restMs = 20_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const restarted = ['agent-restarted', 'message-resent', 'delivery-unknown', 'conversation-seeded'];

export async function killAll(options: {
  kills: readonly Kill[];
  berth: Berth;
  world: World;
  network: Network;
  targets: readonly Target[];
  timeline: Timeline;
  now: () => number;
}): Promise<KillerReport> {
  const { berth, world, network, targets, timeline, now } = options;
  const struck: Record<string, number> = {};
  const missed: Record<string, number> = {};
  const recoveries: Recovery[] = [];
  const faults: string[] = [];
  const measuring = new Set<Promise<void>>();

  /** The next event of the session for which it holds; undefined: none within the time. */
  function next(
    target: Target,
    holds: (seen: Seen) => boolean,
    limitMs: number,
  ): Promise<Seen | undefined> {
    return new Promise((resolve) => {
      const finish = (seen?: Seen): void => {
        clearTimeout(timer);
        stop();
        resolve(seen);
      };
      const stop = target.reader.listen((seen) => {
        if (holds(seen)) finish(seen);
      });
      const timer = setTimeout(finish, limitMs);
    });
  }
  function events(target: Target, count: number): Promise<unknown> {
    let left = count;
    return next(target, () => --left <= 0, momentMs);
  }

  /** In the background: the next kill does not wait for the measure of this one. */
  function measure(victim: Victim, target: Target, from: number, up: Promise<number>): void {
    const turn = target.reader.openTurn;
    if (turn === null) return; // nothing is under way that could go on
    const work = (async () => {
      if (victim === 'control-plane' || victim === 'postgres' || victim === 'link') {
        const upAt = await up;
        const seen = await next(target, ({ atMs }) => atMs >= upAt, recoveryMs);
        if (seen === undefined) return;
        recoveries.push({
          victim,
          sinceKillMs: seen.atMs - from,
          sinceUpMs: seen.atMs - upAt,
        });
        return;
      }
      const told: string[] = [];
      const seen = await next(
        target,
        ({ event }) => {
          if (event.kind === 'turn.ended') return true;
          if (told.length > 0 && event.turnId === turn) return true;
          if (event.kind === 'notice' && restarted.includes(event.payload.code))
            told.push(event.payload.code);
          return false;
        },
        recoveryMs,
      );
      // It had ended just before: nothing was recovered.
      if (seen === undefined || told.length === 0) return;
      recoveries.push({ victim, sinceKillMs: seen.atMs - from });
    })().finally(() => measuring.delete(work));
    measuring.add(work);
  }

  async function strikeProcess(victim: Victim, kill: Kill, target: Target): Promise<boolean> {
    const { sessionId } = target;
    switch (victim) {
      case 'agent':
        return strike(world.victims.agent(sessionId, kill.whole));
      case 'sandbox':
        return strike(world.victims.sandbox(sessionId, kill.whole ? 'init' : 'agentd'));
      case 'runner':
        return strike(await world.victims.runner());
      case 'postgres':
        return strike(world.victims.postgres());
      case 'control-plane':
        await berth.kill();
        return true;
      case 'link':
        return network.strike(kill.cut, kill.stallMs);
    }
  }
  const strike = (pids: readonly number[]): boolean =>
    pids.map((pid) => killProcess(pid)).includes(true);

  async function startAgain(downMs: number): Promise<void> {
    await pause(downMs);
    for (let attempt = 1; ; attempt++) {
      try {
        await berth.start();
        return;
      } catch (error) {
        timeline.add(null, `control plane did not start: ${String(error).slice(0, 2000)}`);
        if (attempt === 3) {
          faults.push(`the control plane did not start: ${String(error)}`);
          throw error;
        }
      }
    }
  }

  for (const kill of options.kills) {
    const target = targets[kill.session];
    if (target === undefined) throw new Error('no such session');
    const { on, count, delayMs } = kill.moment;
    await (on === 'event'
      ? events(target, count)
      : Promise.race([target.requests(count), pause(momentMs)]));
    await pause(delayMs);
    const from = now();
    const name = `KILL ${String(kill.index)} ${kill.victims.join(' + ')}`;
    const mine = kill.victims.every((victim) => victim === 'agent' || victim === 'sandbox');
    timeline.add(mine ? kill.session : null, `*** ${name} (${on} ${String(count)})`);
    const before = world.victims.postgres()[0];
    const goesOn = next(target, ({ atMs }) => atMs > from + 20, restMs);
    const hits = await Promise.all(
      kill.victims.map(async (victim) => {
        const hit = await strikeProcess(victim, kill, target);
        const list = hit ? struck : missed;
        list[victim] = (list[victim] ?? 0) + 1;
        return hit ? victim : null;
      }),
    );
    const dead = hits.filter((victim) => victim !== null);
    const started = dead.includes('control-plane') ? startAgain(kill.downMs) : undefined;
    for (const victim of dead) {
      const up =
        victim === 'postgres'
          ? until(() => world.postgresReady(before), recoveryMs).then(now, now)
          : Promise.resolve(started).then(now, now);
      measure(victim, target, from, up);
    }
    await started;
    if (started !== undefined) timeline.add(null, 'control plane is ready again');
    if (kill.rest && dead.length > 0) await goesOn;
  }
  await Promise.all(measuring);
  return { struck, missed, recoveries, faults };
}
