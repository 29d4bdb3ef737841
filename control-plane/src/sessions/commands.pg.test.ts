import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createIds } from '../ids.ts';
import { createHints } from '../store/index.ts';
import { createSessions, type Seats, type SessionsFeature } from './index.ts';
import { raiseEpoch } from './log/heads.ts';
import { hashOf } from './prompt.ts';
import { FakeRunner } from './testing/fake-runner.ts';
import { testHarnesses } from './testing/harness.ts';
import { noColleague } from './testing/seats.ts';
import { until } from './testing/until.ts';
import { openWorld, type World } from './testing/world.ts';
import { consumeNext, insertTurn, moveTurn } from './turns.store.ts';

const text = (said: string) => [{ type: 'text' as const, text: said }];

/** Another process on the same database. Its runner has no link there. */
async function another(
  world: World,
  seats: Seats,
): Promise<AsyncDisposable & { feature: SessionsFeature }> {
  const clock = { now: () => world.time.ms };
  const logger = pino({ level: 'silent' });
  const hints = await createHints({ store: world.db.store, logger });
  const runner = new FakeRunner();
  runner.online = false;
  const feature = createSessions({
    store: world.db.store,
    hints,
    clock,
    newId: createIds(clock),
    logger,
    runner,
    sandboxes: { hint: () => undefined, current: () => undefined },
    seats,
    colleague: noColleague,
    harnesses: testHarnesses,
    config: { containerEnv: {}, driver: 'local', isolated: true, egressSocket: '', limits: {} },
  });
  const stop = new AbortController();
  await feature.start(stop.signal);
  return {
    feature,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await feature.close();
      await hints[Symbol.asyncDispose]();
    },
  };
}
const elsewhere: Seats = { sure: true, elsewhere: async () => true };
const epochOf = async (world: World, id: string): Promise<number> => {
  const { rows } = await world.db.pool.query<{ epoch: number }>(
    'select epoch from session_head where session_id = $1',
    [id],
  );
  return rows[0]?.epoch ?? 0;
};
const nothingLeft = (world: World): Promise<unknown> =>
  until('nothing is left to look at', async () => {
    const { rows } = await world.db.pool.query('select id from session_command');
    return rows.length === 0;
  });
const kinds = async (world: World, id: string, kind: string) =>
  (await world.events(id)).filter((event) => event.kind === kind);

test('what a process without the link does reaches the one with it, said once, and takes nothing over', async () => {
  await using world = await openWorld();
  await using other = await another(world, elsewhere);
  const { actor, runner } = world;
  const id = await world.ready();
  const epoch = await epochOf(world, id);

  const turnId = randomUUID();
  const { turn, created } = await other.feature.turns.create(actor, id, {
    id: turnId,
    prompt: text('work'),
  });
  expect({ created, state: turn.state }).toEqual({ created: true, state: 'queued' });
  await until('delivered', () => Promise.resolve(runner.delivered.includes(turnId)));
  runner.say(id, 'turn.started', { turnId }, turnId);

  const queued = randomUUID();
  await other.feature.turns.create(actor, id, { id: queued, prompt: text('first') });
  await nothingLeft(world);
  await other.feature.turns.patch(actor, id, queued, null, { prompt: text('edited') });
  await nothingLeft(world);
  await other.feature.turns.withdraw(actor, id, queued);
  await other.feature.sessions.cancel(actor, id);
  await until('asked to stop', () => Promise.resolve(runner.cancels.includes(turnId)));
  other.feature.notice(id, 'told', 'from there');
  other.feature.recordUsage(id, { model: 'm', inputTokens: 5, outputTokens: 2, costUsd: '0.5' });
  await until('counted', async () => {
    const { usage } = await world.feature.sessions.get(actor, id);
    return usage.inputTokens === 5;
  });
  await nothingLeft(world);

  expect(await epochOf(world, id)).toBe(epoch);
  expect(runner.drops).toBe(0);
  expect(await kinds(world, id, 'turn.queued')).toMatchObject([
    { turnId, payload: { prompt: text('work') } },
    { turnId: queued, payload: { prompt: text('first') } },
    { turnId: queued, payload: { prompt: text('edited') } },
  ]);
  expect(await kinds(world, id, 'turn.ended')).toMatchObject([
    { turnId: queued, payload: { state: 'cancelled' } },
  ]);
  expect(await kinds(world, id, 'notice')).toHaveLength(1);
  expect(await kinds(world, id, 'usage')).toHaveLength(1);
});

test('a session made where no link is begins at the process that has it', async () => {
  await using world = await openWorld();
  await using other = await another(world, elsewhere);
  const { id } = await other.feature.sessions.create(world.actor, {
    agentId: world.agentId,
    prompt: text('hello'),
  });
  await until('its first events', async () => (await world.events(id)).length === 3);
  expect((await world.events(id)).map(({ kind }) => kind)).toEqual([
    'sandbox.phase',
    'turn.queued',
    'session.status',
  ]);
  expect(await epochOf(world, id)).toBe(1);
});

test('a message whose process died before it was said to be queued, then taken back where no link is: both are said', async () => {
  await using world = await openWorld();
  await using other = await another(world, elsewhere);
  const { actor } = world;
  const id = await world.ready();
  world.runner.online = false; // nobody sends it
  const turnId = randomUUID();
  const prompt = text('never said');
  await insertTurn(
    world.db.pool,
    { id: turnId, sessionId: id, prompt, promptHash: hashOf(prompt), at: new Date(world.time.ms) },
    actor,
  );
  await other.feature.turns.withdraw(actor, id, turnId);
  await until('its end is said', async () => (await kinds(world, id, 'turn.ended')).length > 0);
  const told = (await world.events(id)).filter((event) => event.turnId === turnId);
  expect(told.map(({ kind }) => kind)).toEqual(['turn.queued', 'turn.ended']);
});

test('a message whose process died right after it was stored is said to be queued before it is sent, by whoever writes the session, and once', async () => {
  await using world = await openWorld();
  await using other = await another(world, elsewhere);
  const { actor, runner, time } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  const prompt = text('stored');
  await insertTurn(
    world.db.pool,
    { id: turnId, sessionId: id, prompt, promptHash: hashOf(prompt), at: new Date(time.ms) },
    actor,
  );
  await other.feature.sessions.cancel(actor, id); // somebody looks
  await until('delivered', () => Promise.resolve(runner.delivered.includes(turnId)));
  runner.say(id, 'turn.started', { turnId }, turnId);
  await until('started', async () => (await kinds(world, id, 'turn.started')).length > 0);
  // Its sender, who got no answer, asks again.
  expect(await other.feature.turns.create(actor, id, { id: turnId, prompt })).toMatchObject({
    created: false,
  });
  const told = (await world.events(id)).filter((event) => event.turnId === turnId);
  expect(told.map(({ kind }) => kind)).toEqual(['turn.queued', 'message.user', 'turn.started']);
});

test('a message whose process died right after it was stored: its writer, who lives on, says first that it was queued', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  const [stored, after] = [randomUUID(), randomUUID()];
  const prompt = text('stored, and nothing else');
  const at = new Date(world.time.ms);
  const row = { id: stored, sessionId: id, prompt, promptHash: hashOf(prompt), at };
  await insertTurn(world.db.pool, row, actor);
  // Somebody looks at the session.
  await world.feature.turns.create(actor, id, { id: after, prompt: text('next') });
  await until('delivered', () => Promise.resolve(runner.delivered.includes(stored)));
  runner.say(id, 'turn.started', { turnId: stored }, stored);
  runner.say(id, 'turn.ended', { turnId: stored, state: 'done' }, stored);
  await until('the next one', () => Promise.resolve(runner.delivered.includes(after)));
  const kindsOf = async (turnId: string) =>
    (await world.events(id)).filter((event) => event.turnId === turnId).map(({ kind }) => kind);
  expect(await kindsOf(stored)).toEqual([
    'turn.queued',
    'message.user',
    'turn.started',
    'turn.ended',
  ]);
  expect(await kindsOf(after)).toEqual(['turn.queued']);
});

test('an event whose row outlived its commit is not said again; one that was not committed is', async () => {
  await using world = await openWorld();
  const id = await world.ready();
  world.feature.notice(id, 'told', 'once');
  await until('said', async () => (await kinds(world, id, 'notice')).length === 1);
  // As a process leaves it that dies between the commit and the end of the row.
  await world.db.pool.query(
    `insert into session_command (id, session_id, kind, payload, at, after_seq)
     select gen_random_uuid(), e.session_id, e.kind, e.payload, e.at, e.seq - 1 from session_event e where e.session_id = $1 and e.kind = 'notice'
     union all select gen_random_uuid(), $1, 'notice', '{"code":"told","text":"twice"}', now(), 0`,
    [id],
  );
  await world.restart();
  await nothingLeft(world);
  expect((await kinds(world, id, 'notice')).map(({ payload }) => payload['text'])).toEqual([
    'once',
    'twice',
  ]);
});

test('a link that comes back finds what another process has written meanwhile', async () => {
  await using world = await openWorld();
  const { runner, db } = world;
  const id = await world.ready();
  await until('all is taken', async () => runner.journal(id).acked > 0);
  // The link was at another process, which took an item in, and this one had nothing to do.
  runner.online = false;
  const { sourceId, items } = runner.journal(id);
  await raiseEpoch(db.pool, id, sourceId);
  runner.say(id, 'notice', { code: 'told', text: 'there' });
  await db.pool.query('update session_head set last_source_seq = $2 where session_id = $1', [
    id,
    items.length,
  ]);
  const epoch = await epochOf(world, id);
  await runner.reconnect();
  expect(runner.journal(id).acked).toBe(items.length);
  expect(await epochOf(world, id)).toBe(epoch + 1);
  runner.say(id, 'notice', { code: 'told', text: 'here' });
  await until('said', async () => (await kinds(world, id, 'notice')).length > 0);
  expect(await kinds(world, id, 'notice')).toMatchObject([{ payload: { text: 'here' } }]);
  expect(runner.drops).toBe(0);
});

test('a hello whose process was frozen over it counts nothing: neither by its claim of the link, nor in the middle', async () => {
  await using world = await openWorld();
  const { runner, db, feature } = world;
  const id = await world.ready();
  const { sourceId, items } = runner.journal(id);
  await until('all is taken', async () => runner.journal(id).acked === items.length);
  const head = async () =>
    (
      await db.pool.query<{ epoch: number; source_id: string; last_source_seq: string }>(
        'select epoch, source_id, last_source_seq from session_head where session_id = $1',
        [id],
      )
    ).rows[0];
  const counted = await head();
  const runnerId = randomUUID();
  await db.pool.query(`insert into runner (id, hash) values ($1, '')`, [runnerId]);
  const claimed = async (replicaId: string) => {
    const { rows } = await db.pool.query<{ since: string }>(
      `update runner set replica_id = $2, last_seen_at = clock_timestamp() where id = $1 returning last_seen_at::text as since`,
      [runnerId, replicaId],
    );
    return { runnerId, replicaId, since: rows[0]?.since ?? '' };
  };
  const mine = await claimed(randomUUID());
  const held = { sessionId: id, lastN: 0, generation: 1 };
  const stands = expect.objectContaining({ name: 'Elsewhere' }) as unknown;

  // Another process has claimed the link since then, or this one anew.
  for (const replicaId of [randomUUID(), mine.replicaId]) {
    await claimed(replicaId);
    for (const own of [sourceId, randomUUID()])
      await expect(
        feature.runnerEvents.hello(runner.id, [{ ...held, sourceId: own }], mine),
      ).rejects.toEqual(stands);
  }
  expect(await head()).toEqual(counted);

  // Frozen behind the first step: by now another process has written the session.
  await raiseEpoch(db.pool, id, null);
  const theirs = await head();
  expect(await raiseEpoch(db.pool, id, null, true, { epoch: counted?.epoch ?? 0 })).toBeNull();
  expect(await head()).toEqual(theirs);
  // A claim that stands is good.
  const again = await claimed(mine.replicaId);
  const { sessions } = await feature.runnerEvents.hello(
    runner.id,
    [{ ...held, sourceId, lastN: items.length }],
    again,
  );
  expect(sessions).toMatchObject([{ lastSourceSeq: Number(counted?.last_source_seq) }]);
});

test('whoever was taken over from in the middle of a job writes no row of it; whoever has the session does', async () => {
  await using world = await openWorld();
  const { actor, runner, db } = world;
  const id = await world.ready();
  const [running, waiting] = [randomUUID(), randomUUID()];
  await world.feature.turns.create(actor, id, { id: running, prompt: text('work') });
  await until('delivered', () => Promise.resolve(runner.delivered.includes(running)));
  await db.pool.query(`
    create table moved (turn_id uuid, state text, epoch int);
    create function note_moved() returns trigger language plpgsql as $$ begin
      insert into moved select new.id, new.state, h.epoch from session_head h where h.session_id = new.session_id; return null; end $$;
    create trigger note_moved after update on turn for each row when (new.state <> old.state) execute function note_moved()`);
  const moved = async () =>
    (await db.pool.query<{ state: string; epoch: number }>('select state, epoch from moved')).rows;

  // Another process takes the session over, and nobody here knows: as after a thaw.
  await raiseEpoch(db.pool, id, null);
  const theirs = await epochOf(world, id);
  runner.say(id, 'turn.started', { turnId: running }, running);
  await until('taken in', async () => (await moved()).some(({ state }) => state === 'running'));
  expect((await moved()).filter(({ epoch }) => epoch <= theirs)).toEqual([]);
  expect(runner.failures).toEqual([]);

  runner.online = false; // only we send it
  const at = new Date(world.time.ms);
  const row = { id: waiting, sessionId: id, prompt: text('next'), promptHash: Buffer.alloc(1), at };
  await moveTurn(db.pool, id, running, { kind: 'ended', state: 'done' }, 'done', at);
  await insertTurn(db.pool, row, actor);
  const own = await epochOf(world, id);
  expect(await consumeNext(db.pool, id, own - 1, at)).toBeNull();
  expect(await consumeNext(db.pool, id, own, at)).toMatchObject({ id: waiting, state: 'sent' });
});

test('a process that was away asks who owns the session before it does anything to it; the twin that is sure does not', async () => {
  await using world = await openWorld();
  const seats = { sure: true, elsewhere: async () => false };
  await using other = await another(world, seats);
  const { actor } = world;
  const id = await world.ready();
  // The other one takes the session over: nobody has its link, as far as it knows.
  await other.feature.turns.create(actor, id, { id: randomUUID(), prompt: text('one') });
  const taken = await epochOf(world, id);
  const agent = world.runner;
  agent.say(id, 'notice', { code: 'a', text: 'back' });
  await until('written here again', async () => (await epochOf(world, id)) > taken);
  await until('said', async () => (await kinds(world, id, 'notice')).length === 1);
  // Now it believes what is no longer so, and was away: the epoch tells it, and another process has the link.
  seats.sure = false;
  seats.elsewhere = async () => true;
  const now = await epochOf(world, id);
  await other.feature.turns.create(actor, id, { id: randomUUID(), prompt: text('two') });
  await nothingLeft(world);
  expect(await epochOf(world, id)).toBe(now);
});
