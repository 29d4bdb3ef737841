import type { Database } from './database.ts';
import type { Target } from './killer.ts';
import type { Network } from './network.ts';
import { holderOf, type Plane } from './planes.ts';
import type { Kill, Victim } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import type { Wire } from './wire.ts';
import { kill as killProcess, signalAll, type World } from './world.ts';

/** What was struck. */
export interface Hit {
  /** When it is over by itself. */
  readonly over?: Promise<unknown>;
  /** Of what has to be started again. */
  readonly dead?: readonly Plane[];
  /** When the rest of the system goes on without it; null: never. */
  readonly without?: Promise<number | null>;
}
/** A process of the control plane, and whether a balancer knows that it is away. */
export interface Watched {
  readonly plane: Plane;
  away: boolean;
}

const isWire = (victim: Victim): boolean => ['link', 'people', 'database'].includes(victim);
/** The others wait ten seconds before they take a silent process for dead, and the runner twenty. */
const takeOverMs = 45_000;
/** A balancer looks now and then whether those behind it answer. */
const noticedMs = 2000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const nameOf = (victim: Victim, { over }: Hit): string =>
  over !== undefined && !isWire(victim) ? `${victim} frozen` : victim;

/** Lays hands on one victim; null: it was not there. */
export function createStrike(parts: {
  planes: readonly Watched[];
  world: World;
  network: Network;
  database: Database | undefined;
  targets: readonly Target[];
  timeline: Timeline;
  now: () => number;
}) {
  const { planes, world, network, database, targets, timeline, now } = parts;
  const [first, second] = planes;
  if (first === undefined) throw new Error('no control plane');

  function processes(pids: readonly number[], kill: Kill | null): Hit | null {
    if (kill?.freeze !== true)
      return pids.map((pid) => killProcess(pid)).includes(true) ? {} : null;
    if (!signalAll(pids, 'SIGSTOP')) return null;
    return { over: pause(kill.stallMs).then(() => signalAll(pids, 'SIGCONT')) };
  }
  async function controlPlane({ plane }: Watched, kill: Kill): Promise<Hit | null> {
    if (kill.freeze) return processes([plane.pid], kill);
    await plane.kill();
    return { dead: [plane] };
  }
  const holder = (): Promise<Plane | null> =>
    world
      .sql((sql) =>
        holderOf(
          sql,
          planes.map(({ plane }) => plane),
        ),
      )
      .catch(() => null); // the database is away: nobody can say

  /** Whoever has the runner's link is stopped until somebody else has it, and somewhat longer: it wakes up in the belief that nothing happened. */
  async function frozenHolder(kill: Kill): Promise<Hit | null> {
    const held = await holder();
    const watched = planes.find(({ plane }) => plane === held);
    if (planes.length < 2 || held === null || watched === undefined) return null;
    const pids = [held.pid];
    if (!signalAll(pids, 'SIGSTOP')) return null;
    const without = (async () => {
      const end = now() + takeOverMs;
      await pause(noticedMs);
      watched.away = true;
      for (;;) {
        const by = await holder();
        if (by !== null && by !== held) return now();
        if (now() > end) return null;
        await pause(100);
      }
    })();
    const over = without.then(async (at) => {
      timeline.add(null, at === null ? 'nobody took over' : 'another process took over');
      await pause(kill.stallMs);
      signalAll(pids, 'SIGCONT');
      watched.away = false;
      timeline.add(null, 'the frozen process goes on');
    });
    return { over, without };
  }
  async function wires(struck: readonly Wire[], { cut, stallMs }: Kill): Promise<Hit | null> {
    // Said again are only frames that are made for it: a request of long ago would be a person who asks again.
    const how =
      cut === 'double' && !struck.every((one) => network.links.includes(one)) ? 'cut' : cut;
    const strikes = struck.map((one) => one.strike(how, stallMs));
    const over = Promise.all(strikes).then((there) => there.includes(true));
    const none = over.then((there) => !there);
    // It is answered at once when nobody's connection goes through.
    if (await Promise.race([none, pause(1).then(() => false)])) return null;
    return { over };
  }

  return async (victim: Victim, kill: Kill, target: Target): Promise<Hit | null> => {
    const { sessionId } = target;
    switch (victim) {
      case 'agent':
        return processes(world.victims.agent(sessionId, kill.whole), kill);
      case 'sandbox':
        return processes(world.victims.sandbox(sessionId, kill.whole ? 'init' : 'agentd'), null);
      case 'runner':
        return processes(await world.victims.runner(), kill);
      case 'postgres':
        return kill.freeze
          ? processes(world.victims.postgresWhole(), kill)
          : processes(world.victims.postgres(), null);
      case 'control-plane':
        return controlPlane(first, kill);
      case 'second':
        return second === undefined ? null : controlPlane(second, kill);
      case 'holder':
        return frozenHolder(kill);
      case 'link':
        return wires(network.links, kill);
      case 'people':
        return wires([network.people], kill);
      case 'database': {
        if (database === undefined) return null;
        const { first: one, second: other } = database.wires;
        return wires(kill.whole ? [one, other] : [one], kill);
      }
      case 'machine': {
        for (const { sessionId: each } of targets)
          processes(world.victims.sandbox(each, 'init'), null);
        processes([...(await world.victims.runner()), ...world.victims.postgres()], null);
        // The second one is of another machine, perhaps.
        const dead = (kill.whole ? planes : [first]).map(({ plane }) => plane);
        await Promise.all(dead.map((plane) => plane.kill()));
        return { dead };
      }
    }
  };
}
