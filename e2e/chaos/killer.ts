import { until } from '../support/berth.ts';
import type { Database } from './database.ts';
import { createMeasures, next, type Recovery } from './measure.ts';
import type { Network } from './network.ts';
import type { Plane } from './planes.ts';
import type { Reader } from './reader.ts';
import type { Kill } from './schedule.ts';
import { createStrike, nameOf, type Watched } from './strike.ts';
import type { Timeline } from './timeline.ts';
import type { World } from './world.ts';

/** What a killer needs of a session. */
export interface Target {
  readonly sessionId: string;
  readonly reader: Reader;
  /** Resolves at the count-th request from now on. */
  requests(count: number): Promise<void>;
}
export interface KillerReport {
  /** Struck, by victim and how. */
  readonly struck: Record<string, number>;
  /** The victim was not there at its moment. */
  readonly missed: Record<string, number>;
  readonly recoveries: readonly Recovery[];
  /** The control plane could not be started. */
  readonly faults: readonly string[];
}

/** A moment that does not come is not waited for longer. */
const momentMs = 1200;
const recoveryMs = 60_000;
const restMs = 20_000;
const startMs = 30_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function killAll(options: {
  kills: readonly Kill[];
  planes: readonly Watched[];
  world: World;
  network: Network;
  database: Database | undefined;
  targets: readonly Target[];
  timeline: Timeline;
  now: () => number;
}): Promise<KillerReport> {
  const { planes, world, targets, timeline, now } = options;
  const struck: Record<string, number> = {};
  const missed: Record<string, number> = {};
  const faults: string[] = [];
  const faulty = new Set<Promise<unknown>>();
  const measures = createMeasures();
  const strike = createStrike(options);

  function events(target: Target, count: number): Promise<unknown> {
    let left = count;
    return next(target, () => --left <= 0, momentMs);
  }
  /** As whoever supervises it would: it ends at once while a database that is not its own does not answer. */
  async function startAgain(plane: Plane, downMs: number): Promise<void> {
    await pause(downMs);
    const end = now() + startMs;
    for (;;) {
      try {
        await plane.start();
        return;
      } catch (error) {
        const text = String(error);
        timeline.add(null, `control plane did not start: ${text.slice(-300)}`);
        if (/^berth: DATABASE_URL: /m.test(text.slice(-1000)) && now() < end) {
          await pause(200);
          continue;
        }
        faults.push(`the control plane did not start: ${text}`);
        throw error;
      }
    }
  }

  for (const kill of options.kills) {
    const target = targets[kill.session];
    if (target === undefined) throw new Error('no such session');
    // What is measured must have been whole before.
    if (kill.rest) await Promise.race([measures.settled(), pause(restMs)]);
    const { on, count, delayMs } = kill.moment;
    await (on === 'event'
      ? events(target, count)
      : Promise.race([target.requests(count), pause(momentMs)]));
    await pause(delayMs);
    const from = now();
    const name = `KILL ${String(kill.index)} ${kill.victims.join(' + ')}`;
    const mine = kill.victims.every((victim) => victim === 'agent' || victim === 'sandbox');
    const manner = `${kill.cut}${kill.freeze ? ', freeze' : ''}${kill.whole ? ', whole' : ''}`;
    timeline.add(mine ? kill.session : null, `*** ${name} (${on} ${String(count)}; ${manner})`);
    const before = world.victims.postgres()[0];
    const goesOn = next(target, ({ atMs }) => atMs > from + 20, restMs);
    const hits = await Promise.all(
      kill.victims.map(async (victim) => {
        const hit = await strike(victim, kill, target);
        const how = hit === null ? victim : nameOf(victim, hit);
        const list = hit !== null ? struck : missed;
        list[how] = (list[how] ?? 0) + 1;
        return hit === null ? null : { victim, how, hit };
      }),
    );
    const dead = hits.filter((one) => one !== null);
    if (dead.length > 0) measures.struck(mine ? kill.session : null);
    const gone = new Set(dead.flatMap(({ hit }) => hit.dead ?? []));
    const away = planes.filter(({ plane }) => gone.has(plane));
    for (const one of away) one.away = true;
    const started =
      away.length === 0
        ? undefined
        : Promise.all(away.map(({ plane }) => startAgain(plane, kill.downMs)));
    const [alone] = dead;
    // Of two that died, whose recovery would it be?
    if (alone !== undefined && dead.length === 1) {
      const { victim, how, hit } = alone;
      const up =
        hit.without ??
        hit.over ??
        started ??
        (victim === 'postgres' ? until(() => world.postgresReady(before), recoveryMs) : undefined);
      const upAt = up?.then(
        (at) => (hit.without === undefined ? now() : (at as number | null)),
        now,
      );
      for (const [session, each] of targets.entries())
        if (!mine || each === target) measures.begin(how, session, each, from, upAt);
    }
    await started;
    for (const one of away) one.away = false;
    if (started !== undefined) timeline.add(null, 'control plane is ready again');
    for (const { hit } of dead) {
      if (hit.over === undefined) continue;
      const done: Promise<unknown> = hit.over.finally(() => faulty.delete(done));
      faulty.add(done);
    }
    if (!kill.rest || dead.length === 0) continue;
    await goesOn;
    await Promise.race([measures.settled(), pause(restMs)]);
  }
  // What is frozen thaws, and the network is whole again.
  await Promise.all(faulty);
  await measures.settled();
  return { struck, missed, recoveries: measures.recoveries, faults };
}
