import { until, type Berth } from '../support/berth.ts';
import type { Network } from './network.ts';
import type { Reader, Seen } from './reader.ts';
import type { Kill, Victim } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import type { Wire } from './wire.ts';
import { kill as killProcess, signalAll, type World } from './world.ts';

/** What a killer needs of a session. */
export interface Target {
  readonly sessionId: string;
  readonly reader: Reader;
  /** Resolves at the count-th request from now on. */
  requests(count: number): Promise<void>;
}
/** How long it took until the next event, in ms: from the kill, and from when the victim itself was there again. */
export interface Recovery {
  readonly victim: string;
  readonly sinceKillMs: number;
  readonly sinceUpMs?: number;
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
const isWire = (victim: Victim): boolean => ['link', 'people', 'database'].includes(victim);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const restarted = ['agent-restarted', 'message-resent', 'delivery-unknown', 'conversation-seeded'];

export async function killAll(options: {
  kills: readonly Kill[];
  berth: Berth;
  world: World;
  network: Network;
  database: Wire | undefined;
  targets: readonly Target[];
  timeline: Timeline;
  now: () => number;
}): Promise<KillerReport> {
  const { berth, world, network, database, targets, timeline, now } = options;
  const struck: Record<string, number> = {};
  const missed: Record<string, number> = {};
  const recoveries: Recovery[] = [];
  const faults: string[] = [];
  const measuring = new Set<Promise<void>>();
  const faulty = new Set<Promise<unknown>>();

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

  /** Sessions that were struck, each time; null: all of them. */
  const strikes: (number | null)[] = [];
  const struckTimes = (session: number): number =>
    strikes.filter((one) => one === null || one === session).length;
  const recovering = new Map<number, number>();

  /**
   * In the background: the next kill does not wait for the measure of this one. Only what nothing else came into is a measure: no kill before from which
   * the session had not recovered, and none after.
   */
  function measure(
    name: string,
    session: number,
    target: Target,
    from: number,
    up?: Promise<number>,
  ): void {
    const turn = target.reader.openTurn;
    if (turn === null) return; // nothing is under way that could go on
    const strikesBefore = struckTimes(session);
    const alone = (recovering.get(session) ?? 0) === 0;
    recovering.set(session, (recovering.get(session) ?? 0) + 1);
    const work = (async () => {
      const recovery = await (up === undefined
        ? untilTold(target, turn, from)
        : untilHeard(target, turn, from, await up));
      if (recovery !== null && alone && struckTimes(session) === strikesBefore)
        recoveries.push({ victim: name, ...recovery });
    })().finally(() => {
      recovering.set(session, (recovering.get(session) ?? 0) - 1);
      measuring.delete(work);
    });
    measuring.add(work);
  }
  type Times = Omit<Recovery, 'victim'>;
  async function untilHeard(
    target: Target,
    turn: string,
    from: number,
    upAt: number,
  ): Promise<Times | null> {
    // It ended while its victim was away.
    if (target.reader.openTurn !== turn) return null;
    const holds = ({ atMs, event }: Seen): boolean => atMs >= upAt && event.turnId === turn;
    const seen = await next(target, holds, recoveryMs);
    if (seen === undefined) return null;
    return { sinceKillMs: seen.atMs - from, sinceUpMs: seen.atMs - upAt };
  }
  async function untilTold(target: Target, turn: string, from: number): Promise<Times | null> {
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
    return seen === undefined || told.length === 0 ? null : { sinceKillMs: seen.atMs - from };
  }

  /** What is struck now, and when it is over by itself; null: it was not there. */
  async function strikeVictim(
    victim: Victim,
    kill: Kill,
    target: Target,
  ): Promise<{ over?: Promise<unknown> } | null> {
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
        if (kill.freeze) return processes([berth.pid], kill);
        await berth.kill();
        return {};
      case 'link':
        return wire(network.link, kill);
      case 'people':
        return wire(network.people, kill);
      case 'database':
        return database === undefined ? null : wire(database, kill);
      case 'machine':
        for (const { sessionId: each } of targets)
          processes(world.victims.sandbox(each, 'init'), null);
        processes([...(await world.victims.runner()), ...world.victims.postgres()], null);
        await berth.kill();
        return {};
    }
  }
  function processes(
    pids: readonly number[],
    kill: Kill | null,
  ): { over?: Promise<unknown> } | null {
    if (kill?.freeze !== true)
      return pids.map((pid) => killProcess(pid)).includes(true) ? {} : null;
    if (!signalAll(pids, 'SIGSTOP')) return null;
    return { over: pause(kill.stallMs).then(() => signalAll(pids, 'SIGCONT')) };
  }
  async function wire(
    one: Wire,
    { cut, stallMs }: Kill,
  ): Promise<{ over: Promise<unknown> } | null> {
    // Said again are only frames that are made for it: a request of long ago would be a person who asks again.
    const how = cut === 'double' && one !== network.link ? 'cut' : cut;
    const over = one.strike(how, stallMs);
    const none = over.then((there) => !there);
    // It is answered at once when nobody's connection goes through.
    if (await Promise.race([none, pause(1).then(() => false)])) return null;
    return { over };
  }
  /** As whoever supervises it would: it ends at once while a database that is not its own does not answer. */
  async function startAgain(downMs: number): Promise<void> {
    await pause(downMs);
    const end = now() + startMs;
    for (;;) {
      try {
        await berth.start();
        return;
      } catch (error) {
        const text = String(error);
        timeline.add(null, `control plane did not start: ${text.slice(0, 2000)}`);
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
    const { on, count, delayMs } = kill.moment;
    await (on === 'event'
      ? events(target, count)
      : Promise.race([target.requests(count), pause(momentMs)]));
    await pause(delayMs);
    const from = now();
    const name = `KILL ${String(kill.index)} ${kill.victims.join(' + ')}`;
    const mine = kill.victims.every((victim) => victim === 'agent' || victim === 'sandbox');
    const how = kill.victims.some(isWire) ? `, ${kill.cut}` : kill.freeze ? ', freeze' : '';
    timeline.add(mine ? kill.session : null, `*** ${name} (${on} ${String(count)}${how})`);
    const before = world.victims.postgres()[0];
    const goesOn = next(target, ({ atMs }) => atMs > from + 20, restMs);
    const hits = await Promise.all(
      kill.victims.map(async (victim) => {
        const hit = await strikeVictim(victim, kill, target);
        const how = hit?.over !== undefined && !isWire(victim) ? `${victim} frozen` : victim;
        const list = hit !== null ? struck : missed;
        list[how] = (list[how] ?? 0) + 1;
        return hit === null ? null : { victim, how, over: hit.over };
      }),
    );
    const dead = hits.filter((hit) => hit !== null);
    if (dead.length > 0) strikes.push(mine ? kill.session : null);
    const away = dead.some(
      ({ victim, over }) => victim === 'machine' || (victim === 'control-plane' && !over),
    );
    const started = away ? startAgain(kill.downMs) : undefined;
    for (const { victim, how, over } of dead) {
      if (dead.length > 1) break; // whose recovery would it be?
      if (over !== undefined) measure(how, kill.session, target, from, over.then(now, now));
      else if (victim === 'postgres') {
        const accepts = until(() => world.postgresReady(before), recoveryMs);
        measure(how, kill.session, target, from, accepts.then(now, now));
      } else if (victim === 'control-plane' || victim === 'machine')
        measure(how, kill.session, target, from, Promise.resolve(started).then(now, now));
      else measure(how, kill.session, target, from);
    }
    await started;
    if (started !== undefined) timeline.add(null, 'control plane is ready again');
    for (const { over } of dead) {
      if (over === undefined) continue;
      const done: Promise<unknown> = over.finally(() => faulty.delete(done));
      faulty.add(done);
    }
    if (kill.rest && dead.length > 0) await goesOn;
  }
  // What is frozen thaws, and the network is whole again.
  await Promise.all(faulty);
  await Promise.all(measuring);
  return { struck, missed, recoveries, faults };
}
