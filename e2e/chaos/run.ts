import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type BerthClient } from '../../client/index.ts';
import { startBerth, until, type Berth } from '../support/berth.ts';
import { openApprover } from './approvals.ts';
import { addColleague } from './colleague.ts';
import { check, type Evidence, type Tally, type Violation } from './check.ts';
import { openDatabase } from './database.ts';
import { checkWriters, readWritten, watchWriters } from './fence.ts';
import { gather } from './gather.ts';
import { killAll, type KillerReport, type Target } from './killer.ts';
import { createPerson, persist, type Conversation, type Person } from './person.ts';
import { real, rehearsal, type Kind } from './kinds.ts';
import { createPlan } from './plan.ts';
import { startSecond, type PlaneName } from './planes.ts';
import { realAgents } from './real-agents.ts';
import { openNetwork } from './network.ts';
import { measureOwnStart } from './own-start.ts';
import { random } from './random.ts';
import { openReader, type Reader } from './reader.ts';
import { schedule, victims, type Victim } from './schedule.ts';
import type { Watched } from './strike.ts';
import { brief, createTimeline, type Moment, type Timeline } from './timeline.ts';
import { createWorld, type World } from './world.ts';

export interface ChaosOptions {
  seed: number;
  kills: number;
  sessions: number;
  only?: readonly Victim[];
  /** The first for all sessions, each other for one more of its own. */
  agents?: readonly string[];
  /** `given`: not its own, but one that it is told of, with a network in between. */
  database?: 'embedded' | 'given';
  /** A turn that has no end for so long is stuck. */
  endMs?: number;
  /** A folder for what the system's programs wrote. */
  keep?: string;
}
export interface ChaosReport {
  readonly tally: Tally & { turns: number; events: number; approvals: number; helped: number };
  readonly killer: Omit<KillerReport, 'faults'>;
  /** The agent's own start and load, while it went on. */
  readonly ownStartMs: readonly number[];
  readonly moments: readonly Moment[];
  readonly violations: readonly (Violation & { history: string[] })[];
  readonly seconds: number;
}

export interface Talk {
  readonly kind: Kind;
  readonly conversation: Conversation;
  readonly reader: Reader;
  readonly person: Person;
  readonly target: Target;
}

/** Its own database is dialled without a network, and by one process only. */
const needsGiven: readonly Victim[] = ['database', 'second', 'holder'];
const victimsOf = ({ database }: ChaosOptions): Victim[] =>
  victims.filter((victim) => !needsGiven.includes(victim) || database === 'given');

const removedMs = 60_000;

interface Outcome {
  readonly killer: KillerReport;
  readonly evidence: readonly Evidence[];
  readonly helped: number;
  readonly ownStartMs: readonly number[];
}
type Fault = (session: number | null, what: string, ...names: string[]) => void;

/** One run on a system of its own: talks, kills, waits until everything is quiet, looks. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const now = (): number => performance.now();
  const began = now();
  const timeline = createTimeline(now);
  const violations: Violation[] = [];
  const { killer, evidence, helped, ownStartMs } = await runSystem(
    options,
    timeline,
    now,
    (session, what, ...names) => violations.push({ session, what, names }),
  ).catch((error: unknown): Outcome => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    violations.push({ session: null, what: `the run ended early: ${what}`, names: [] });
    const killer = { struck: {}, missed: {}, recoveries: [], faults: [] };
    return { killer, evidence: [], helped: 0, ownStartMs: [] };
  });
  const tally = { delivered: 0, undelivered: 0, unknown: 0, interrupted: 0 };
  for (const one of evidence) {
    const found = check(one);
    violations.push(...found.violations);
    for (const key of Object.keys(tally) as (keyof Tally)[]) tally[key] += found.tally[key];
  }
  return {
    tally: {
      ...tally,
      turns: evidence.reduce((sum, { sent }) => sum + sent.length, 0),
      events: evidence.reduce((sum, { log }) => sum + (log.at(-1)?.event.seq ?? 0), 0),
      approvals: new Set(evidence.flatMap(({ answered }) => answered.map((a) => a.approvalId)))
        .size,
      helped,
    },
    killer,
    ownStartMs,
    moments: timeline.moments,
    violations: violations.map((violation) => ({
      ...violation,
      history: timeline.history(violation.session, violation.names),
    })),
    seconds: (now() - began) / 1000,
  };
}

async function runSystem(
  options: ChaosOptions,
  timeline: Timeline,
  now: () => number,
  fault: Fault,
): Promise<Outcome> {
  const { seed, endMs = 120_000, agents = ['rehearsal'] } = options;
  await using scope = new AsyncDisposableStack();
  const [bulk = 'rehearsal', ...others] = agents;
  const kinds = [...Array.from({ length: options.sessions }, () => bulk), ...others].map(
    (harness) => (harness === 'rehearsal' ? rehearsal : real(harness)),
  );
  const database = options.database === 'given' ? scope.use(await openDatabase()) : undefined;
  const agentsOfOthers = kinds.some(({ model }) => model !== null) ? await realAgents(scope) : {};
  const envOf = (name: PlaneName): Record<string, string> => ({
    ...agentsOfOthers.env,
    ...(database === undefined ? {} : { DATABASE_URL: database.url(name) }),
  });
  const berth = scope.use(await startBerth({ ...agentsOfOthers, env: envOf('first') }));
  const second = database === undefined ? undefined : scope.use(await startSecond(envOf('second')));
  const { keep } = options;
  if (keep !== undefined) scope.defer(() => keepLogs(berth, second?.log(), keep));
  const planes: Watched[] = [berth, ...(second === undefined ? [] : [second])].map((plane) => ({
    plane,
    away: false,
  }));
  const world = createWorld(
    database === undefined ? berth : { dataDir: berth.dataDir, log: () => database.log() },
  );
  // To the end: whoever dials through it must find the control plane when the sessions are removed.
  const network = scope.use(
    await openNetwork({
      stateDir: join(berth.dataDir, 'runner'),
      behind: planes.map((one) => ({
        get url() {
          return one.plane.url;
        },
        get away() {
          return one.away;
        },
      })),
    }),
  );
  // The runner dialled before there was a proxy: it comes back through it.
  await berth.stop();
  await berth.start();
  const over = network.url;
  const client = createClient({ url: over, token: () => berth.token });
  const bo = await world.sql((sql) => addColleague(sql, 'Bo'));
  if (second !== undefined) await world.sql(watchWriters);
  const colleague = createClient({ url: over, token: () => bo });
  const talks: Talk[] = [];
  for (const [index, kind] of kinds.entries())
    talks.push(
      await beginTalk({ index, kind, seed, berth, over, client, world, timeline, now, endMs }),
    );
  const indexOf = (id: string): number => talks.findIndex(({ target }) => target.sessionId === id);
  const approver = scope.use(
    openApprover({
      people: [
        { name: 'the owner', client: () => client },
        { name: 'Bo', client: () => colleague },
      ],
      indexOf,
      random: random(seed, 'approvals'),
      timeline,
    }),
  );
  const own = scope.use(await measureOwnStart());
  const living = talks.map(({ person }) => person.live());
  const killer = await killAll({
    kills: schedule(seed, {
      kills: options.kills,
      sessions: kinds.length,
      only: options.only ?? victimsOf(options),
    }),
    planes,
    world,
    network,
    database,
    targets: talks.map(({ target }) => target),
    timeline,
    now,
  });
  timeline.add(null, '*** no more kills');
  await own[Symbol.asyncDispose]();
  for (const { person } of talks) person.stop();
  await Promise.all(living);
  const evidence: Evidence[] = [];
  for (const talk of talks)
    evidence.push(await gather(talk, berth, approver.answered, timeline, endMs));
  await approver[Symbol.asyncDispose]();
  for (const what of [...approver.faults, ...killer.faults]) fault(null, what);
  for (const [index, { conversation, reader }] of talks.entries()) {
    for (const what of conversation.faults) fault(index, what, ...namesIn(what));
    for (const what of reader.faults) fault(index, `viewer: ${what}`, what);
    reader.close();
  }
  if (second !== undefined)
    for (const { session, what } of checkWriters(await world.sql(readWritten)))
      fault(indexOf(session), what);
  await remove(berth, talks, world, (what) => fault(null, what));
  await scope.disposeAsync();
  await until(() => world.stragglers().length === 0, 15_000).catch(() => {
    fault(null, `processes outlived the system: ${world.stragglers().join('; ')}`);
  });
  const helped = talks.reduce((sum, { conversation }) => sum + conversation.restarts, 0);
  return { killer, evidence, helped, ownStartMs: own.times };
}

const namesIn = (text: string): string[] =>
  [...text.matchAll(/\bs\d+t\d+[a-e]\b/g)].map(([name]) => name);

async function beginTalk(options: {
  index: number;
  kind: Kind;
  seed: number;
  berth: Berth;
  /** Where people dial. */
  over: string;
  client: BerthClient;
  world: World;
  timeline: Timeline;
  now: () => number;
  endMs: number;
}): Promise<Talk> {
  const { index, kind, seed, berth, over, client, world, timeline, now, endMs } = options;
  const agent = await berth.client.agents.create({
    name: `chaos-${String(index)}`,
    harness: kind.harness,
    mode: kind.mode(index),
    ...(kind.model === null ? {} : { model: kind.model }),
  });
  const { id } = await berth.client.sessions.create({ agentId: agent.id });
  const conversation: Conversation = {
    index,
    sessionId: id,
    turns: [],
    faults: [],
    restarts: 0,
  };
  const reader = openReader({
    url: () => over,
    token: berth.token,
    sessionId: id,
    now,
    told: (what) => timeline.add(index, what),
  });
  reader.listen(({ event }) => timeline.add(index, brief(event)));
  const waiting = new Set<{ left: number; resolve: () => void }>();
  const person = createPerson({
    client: () => client,
    conversation,
    reader,
    plan: createPlan(seed, index, kind.prompt),
    world,
    timeline,
    now,
    acts() {
      for (const one of [...waiting])
        if (--one.left <= 0) {
          waiting.delete(one);
          one.resolve();
        }
    },
    endMs,
  });
  await until(() => world.box(id)?.init !== undefined, 300_000, 'the sandbox');
  return {
    kind,
    conversation,
    reader,
    person,
    target: {
      sessionId: id,
      reader,
      requests: (count) =>
        new Promise((resolve) => {
          waiting.add({ left: count, resolve });
        }),
    },
  };
}

async function keepLogs(berth: Berth, second: string | undefined, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (second !== undefined) await writeFile(join(folder, 'second.log'), second);
  await writeFile(join(folder, 'control-plane.log'), berth.log());
  for (const name of ['runner.log', 'runner.out'])
    await copyFile(join(berth.dataDir, 'runner', name), join(folder, name)).catch(() => undefined);
}

async function remove(
  berth: Berth,
  talks: readonly Talk[],
  world: World,
  fault: (what: string) => void,
): Promise<void> {
  for (const { target } of talks) {
    world.box(target.sessionId);
    await persist('remove', 30_000, (signal) =>
      berth.client.sessions.remove(target.sessionId, { signal }),
    );
  }
  const gone = async (): Promise<boolean> => (await world.leftovers()).length === 0;
  await until(gone, removedMs).catch(async () => {
    for (const what of await world.leftovers()) fault(`left behind: ${what}`);
  });
  const { items } = await berth.client.approvals.list({ state: 'waiting' });
  if (items.length > 0) fault(`${String(items.length)} approvals wait for nobody`);
}
