import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { idleTooLong, suspendIdle } from './idle.store.ts';
import { inTransaction } from './sql.ts';
import { until } from './testing/until.ts';
import { openWorld, type World } from './testing/world.ts';
import { insertTurn, moveTurn, readTurn } from './turns.store.ts';
import { hashOf } from './prompt.ts';

/** A turn that the agent works on. */
async function running(world: World, id: string): Promise<string> {
  const turnId = randomUUID();
  await world.feature.turns.create(world.actor, id, { id: turnId, prompt: text('work') });
  world.runner.say(id, 'turn.started', { turnId }, turnId);
  await until(
    'running',
    async () => (await readTurn(world.db.pool, id, turnId))?.state === 'running',
  );
  return turnId;
}
const text = (words: string) => [{ type: 'text' as const, text: words }];

test('a message that cannot wake its session is not stored at all', async () => {
  await using world = await openWorld();
  const { actor, db, feature } = world;
  const id = await world.ready();
  await db.pool.query(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'the process dies here'; end $$`);
  await db.pool.query(
    `create trigger dies before update of desired on session for each row execute function refuse()`,
  );
  const turnId = randomUUID();
  await expect(
    feature.turns.create(actor, id, { id: turnId, prompt: text('wake up') }),
  ).rejects.toThrow('the process dies here');
  expect(await readTurn(db.pool, id, turnId)).toBeNull();
});

test('a message that comes while an idle session is put to sleep keeps it awake', async () => {
  await using world = await openWorld();
  const { actor, db, feature } = world;
  const id = await world.ready();
  await db.pool.query(`update agent set idle_suspend_ms = 60000 where id = $1`, [world.agentId]);
  const late = new Date(Date.now() + 120_000);
  expect(await idleTooLong(db.pool, late)).toEqual([id]);

  const { promise: hold, resolve: commit } = Promise.withResolvers<undefined>();
  const prompt = text('stay');
  const turn = { id: randomUUID(), sessionId: id, prompt, promptHash: hashOf(prompt), at: late };
  const { promise: inserted, resolve: tell } = Promise.withResolvers<undefined>();
  const message = inTransaction(db.pool, async (sql) => {
    await insertTurn(sql, turn, actor);
    await sql.query(`update session set desired = 'running' where id = $1`, [id]);
    tell(undefined);
    await hold;
  });
  await inserted;
  const asleep = inTransaction(db.pool, (sql) => suspendIdle(sql, id, late));
  await pause(50); // it waits for the row's lock now, or would have been done
  commit(undefined);
  await message;
  expect(await asleep).toBe(false);
  const { rows } = await db.pool.query(`select desired from session where id = $1`, [id]);
  expect(rows).toEqual([{ desired: 'running' }]);

  // Its twin: with nothing to do it sleeps.
  await feature.turns.withdraw(actor, id, turn.id);
  expect(await inTransaction(db.pool, (sql) => suspendIdle(sql, id, late))).toBe(true);
});

test('a wish to stop outlives the process, and goes with its turn', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  await runner.disconnect();
  await world.feature.sessions.cancel(actor, id);
  runner.cancels.length = 0; // as if it had not come through
  await world.restart();
  await until('told again', () => runner.cancels.includes(turnId));
  runner.say(id, 'turn.ended', { turnId, state: 'cancelled' }, turnId);
  await until(
    'over',
    async () => (await world.feature.turns.get(actor, id, turnId)).state === 'cancelled',
  );
  const next = await running(world, id);
  runner.cancels.length = 0;
  await world.restart();
  await until('sent again', () => runner.turns.filter((turn) => turn.turnId === next).length > 1);
  expect(runner.cancels).toEqual([]);
});

test('what stood between a row and its event when the database went away is said when it is back', async () => {
  await using world = await openWorld();
  const { actor, db, feature, runner } = world;
  const id = await world.ready();
  await runner.disconnect();
  // As if the row had been committed and the next statement of the same request had found nobody.
  const prompt = text('stored');
  const turn = { id: randomUUID(), sessionId: id, prompt, promptHash: hashOf(prompt) };
  await insertTurn(db.pool, { ...turn, at: new Date() }, actor);
  await db.pool.query(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'going down' using errcode = '57P01'; end $$`);
  await db.pool.query(
    `create trigger away before update of desired on session for each row execute function refuse()`,
  );
  await expect(feature.sessions.suspend(actor, id)).rejects.toMatchObject({ code: 'not-ready' });
  await db.pool.query(`drop trigger away on session`);
  const queued = async () =>
    (await world.events(id)).filter(({ kind }) => kind === 'turn.queued').map((e) => e.turnId);
  await until('said', async () => (await queued()).length > 0);
  // The same request again, as its sender makes it: known, and said once.
  const { created } = await feature.turns.create(actor, id, { id: turn.id, prompt });
  expect(created).toBe(false);
  expect(await queued()).toEqual([turn.id]);
});

test('who takes a session over with a command of their own tells it once', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  const approvalId = randomUUID();
  const options = [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }];
  runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options }, turnId);
  await until(
    'asked',
    async () => (await world.feature.sessions.get(actor, id)).waitingApprovals > 0,
  );
  for (const command of [
    () => world.feature.approvals.decide(actor, approvalId, { optionId: 'yes', revision: 1 }),
    () => world.feature.turns.create(actor, id, { id: randomUUID(), prompt: text('next') }),
  ]) {
    await runner.disconnect();
    await world.restart({ reconnect: false }); // nothing brings the session to the new process before the command does
    await command();
  }
  const events = await world.events(id);
  const count = (kind: string) => events.filter((event) => event.kind === kind).length;
  expect(count('approval.resolved')).toBe(1);
  expect(count('turn.queued')).toBe(2);
});

test('a runner that lost all it had is not given the turn under way a second time', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  const approvalId = randomUUID();
  const options = [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }];
  runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options }, turnId);
  await until(
    'asked',
    async () => (await world.feature.sessions.get(actor, id)).waitingApprovals > 0,
  );
  runner.say(id, 'message.delta', { messageId: 'm', text: 'as far as' }, turnId);
  const journal = runner.journal(id);
  await until('stored', () => journal.acked === journal.items.length);
  await runner.disconnect();
  runner.journals.clear();
  await world.restart();
  await world.feature.reports.running(world.sandbox(id));
  expect(await world.feature.turns.get(actor, id, turnId)).toMatchObject({ state: 'unknown' });
  expect(await world.feature.approvals.get(actor, approvalId)).toMatchObject({
    state: 'superseded',
  });
  expect(runner.delivered).toEqual([turnId]);
  // Nobody will say where its text ends.
  const cut = (await world.events(id)).filter((event) => event.kind === 'message');
  expect(cut.map(({ payload }) => payload['content'])).toEqual([
    [{ type: 'text', text: 'as far as' }],
  ]);

  // What it is given from now on is its own, also when its first item comes after that.
  await world.feature.turns.settle(actor, id, turnId, { answer: 'drop' });
  const next = await running(world, id);
  runner.say(id, 'turn.ended', { turnId: next, state: 'done' }, next);
  await until('done', async () => (await world.feature.turns.get(actor, id, next)).reply === '');
  const ends = (await world.events(id)).filter((event) => event.kind === 'turn.ended');
  expect(ends.map(({ turnId: of, payload }) => [of, payload['state']])).toEqual([
    [turnId, 'unknown'],
    [turnId, 'cancelled'],
    [next, 'done'],
  ]);
});

test('an end that a person decided is said by the next process; one of the runner comes in its order', async () => {
  await using world = await openWorld();
  const { actor, db, runner } = world;
  const id = await world.ready();
  const ended = await running(world, id);
  await runner.disconnect();
  const withdrawn = randomUUID();
  await world.feature.turns.create(actor, id, { id: withdrawn, prompt: text('never mind') });
  // The rows are written, and the process dies before the log has it.
  const at = new Date();
  await moveTurn(db.pool, id, withdrawn, { kind: 'withdrawn' }, 'cancelled', at);
  await moveTurn(db.pool, id, ended, { kind: 'ended', state: 'failed' }, 'failed', at);
  const error = { code: 'agent-error', detail: 'a \u0000 of the agent' };
  runner.say(id, 'message.delta', { messageId: 'm', text: 'last \u0000 words' }, ended);
  runner.say(id, 'turn.ended', { turnId: ended, state: 'failed', error }, ended);
  await world.restart();
  await until('said', async () => {
    const found = await world.feature.turns.get(actor, id, ended);
    return found.reply !== undefined;
  });
  await world.restart();
  const events = await world.events(id);
  const told = events.filter(({ kind }) => kind === 'turn.ended' || kind === 'message');
  expect(told.map(({ kind, turnId }) => [kind, turnId])).toEqual([
    ['turn.ended', withdrawn],
    ['message', ended],
    ['turn.ended', ended],
  ]);
});

test('a session is taken over in the middle of a text that holds a NUL', async () => {
  await using world = await openWorld();
  const { runner } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  runner.say(id, 'message.delta', { messageId: 'm', text: 'before \u0000' }, turnId);
  const journal = runner.journal(id);
  await until('stored', () => journal.acked === journal.items.length);
  await world.restart();
  runner.say(id, 'message.delta', { messageId: 'm', text: ' after' }, turnId);
  runner.say(id, 'message.end', { messageId: 'm' }, turnId);
  await until('whole', async () =>
    (await world.events(id)).find((event) => event.kind === 'message'),
  );
  const message = (await world.events(id)).find((event) => event.kind === 'message');
  expect(message?.payload['content']).toEqual([{ type: 'text', text: 'before \u0000 after' }]);
});

test('what a runner still says of a sandbox that is known to be lost is of the same message', async () => {
  await using world = await openWorld();
  const { feature, runner } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  const journal = runner.journal(id);
  const delta = (words: string) =>
    runner.say(id, 'message.delta', { messageId: 'm', text: words }, turnId);
  delta('one ');
  await until('stored', () => journal.acked === journal.items.length);
  await feature.reports.phase(id, { phase: 'lost', reason: 'killed by signal 9' });
  delta('two');
  await until('stored', () => journal.acked === journal.items.length);
  runner.say(id, 'message.end', { messageId: 'm' }, turnId);
  await until('whole', () => journal.acked === journal.items.length);
  const messages = (await world.events(id)).filter((event) => event.kind === 'message');
  expect(messages.map(({ payload }) => payload['content'])).toEqual([
    [{ type: 'text', text: 'one two' }],
  ]);
});

test('a message that is stored and withdrawn while nobody writes its session is said in order, once', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  await runner.disconnect();
  await world.feature.close();
  await world.restart({ reconnect: false });
  // The process before has just died, and is not known to be dead.
  world.elsewhere = true;
  const [withdrawn, kept] = [randomUUID(), randomUUID()];
  for (const turnId of [withdrawn, kept])
    await world.feature.turns.create(actor, id, { id: turnId, prompt: text('hello') });
  await world.feature.turns.withdraw(actor, id, withdrawn);
  await world.feature.turns.patch(actor, id, kept, null, { prompt: text('hello again') });
  world.elsewhere = false;
  await runner.reconnect();
  const of = async (turnId: string) =>
    (await world.events(id)).filter((event) => event.turnId === turnId).map(({ kind }) => kind);
  await until('said', async () => (await of(withdrawn)).includes('turn.ended'));
  expect(await of(withdrawn)).toEqual(['turn.queued', 'turn.ended']);
  expect((await of(kept)).filter((kind) => kind === 'turn.queued')).toHaveLength(2);
});

test('the database goes away between the row that says sent and the word to the runner: the next look says it', async () => {
  await using world = await openWorld();
  const { actor, db, runner } = world;
  const id = await world.ready();
  const first = await running(world, id);
  const next = randomUUID();
  await world.feature.turns.create(actor, id, { id: next, prompt: text('next') });
  await db.pool.query(`create sequence tries;
    create function refuse() returns trigger language plpgsql as
      $$ begin if nextval('tries') <= 3 then raise exception 'going down' using errcode = '57P01'; end if; return new; end $$;
    create trigger away before update of current_turn_id on session for each row
      when (new.current_turn_id = '${next}') execute function refuse()`);
  runner.say(id, 'turn.ended', { turnId: first, state: 'done' }, first);
  await until('delivered', () => Promise.resolve(runner.delivered.includes(next)));
  expect(runner.delivered.filter((turnId) => turnId === next)).toHaveLength(1);
  expect(await world.feature.sessions.get(actor, id)).toMatchObject({ currentTurnId: next });
});

test('each start of a sandbox is bound once', async () => {
  await using world = await openWorld();
  const { feature, runner } = world;
  const id = await world.ready();
  const before = runner.binds.length;
  for (const instance of ['second', 'second', 'third'])
    await feature.reports.running({ ...world.sandbox(id), instance });
  expect(runner.binds.slice(before).map((spec) => spec.instance)).toEqual(['second', 'third']);
});

test('a bind that fails half-way is made whole by the next report', async () => {
  await using world = await openWorld();
  const { db, feature, runner, actor, agentId } = world;
  const { id } = await feature.sessions.create(actor, { agentId });
  await db.pool.query(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'not now'; end $$`);
  await db.pool.query(
    `create trigger once before update of isolated on session for each row execute function refuse()`,
  );
  await expect(feature.reports.running(world.sandbox(id))).rejects.toThrow('not now');
  expect(runner.binds).toHaveLength(0);
  await db.pool.query(`drop trigger once on session`);
  await feature.reports.running(world.sandbox(id));
  expect(runner.binds).toHaveLength(1);
});

test('what an agent may reach, and a session’s model, hold as soon as they are changed', async () => {
  await using world = await openWorld();
  const { actor, db, feature, agentId } = world;
  const allowed = new Map<string, readonly string[]>();
  feature.egressPolicies.watch({
    set: ({ sessionId, allow }) => allowed.set(sessionId, allow),
    forget: (id) => allowed.delete(id),
  });
  const id = await world.ready();
  await db.pool.query(`update agent set egress = '{"allow":["other.example"]}' where id = $1`, [
    agentId,
  ]);
  await feature.agentChanged(agentId);
  expect(allowed.get(id)).toEqual(['other.example', 'git.example.org']);
  const { version } = await feature.sessions.get(actor, id);
  await feature.sessions.patch(actor, id, version, { model: 'another' });
  expect(feature.sessionContext(id)?.allowedModels).toEqual(['another']);
});

test('a terminal that ends while the database is away is closed when it is back, once', async () => {
  await using world = await openWorld();
  const { db, runner, actor } = world;
  const id = await world.ready();
  const terminalId = randomUUID();
  await db.pool.query(
    `insert into terminal (id, team_id, session_id, kind, cols, rows, created_by_id, created_by_name)
     values ($1, $2, $3, 'shell', 80, 24, $4, 'Ada')`,
    [terminalId, actor.teamId, id, actor.userId],
  );
  await db.pool.query(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'away' using errcode = '57P03'; end $$`);
  await db.pool.query(
    `create trigger away before update on terminal for each row execute function refuse()`,
  );
  runner.say(id, 'terminal.closed', { terminalId, exitCode: 3 });
  runner.say(id, 'terminal.closed', { terminalId, exitCode: 4 });
  await pause(50);
  const journal = runner.journal(id);
  expect(journal.acked).toBe(journal.items.length - 2);
  await db.pool.query(`drop trigger away on terminal`);
  await until('taken', () => journal.acked === journal.items.length);
  const { rows } = await db.pool.query(`select state, exit_code from terminal where id = $1`, [
    terminalId,
  ]);
  expect(rows).toEqual([{ state: 'closed', exit_code: 3 }]);
});

test('who settles a message settles what it asked, too', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  const approvalId = randomUUID();
  const options = [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }];
  runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options }, turnId);
  runner.say(id, 'turn.ended', { turnId, state: 'unknown' }, turnId);
  await until(
    'unknown',
    async () => (await readTurn(world.db.pool, id, turnId))?.state === 'unknown',
  );
  expect((await feature.approvals.get(actor, approvalId)).state).toBe('waiting');
  await feature.turns.settle(actor, id, turnId, { answer: 'arrived' });
  expect((await feature.approvals.get(actor, approvalId)).state).toBe('superseded');
  expect((await feature.sessions.get(actor, id)).status).toBe('idle');
  await until('told', async () =>
    (await world.events(id)).some((event) => event.kind === 'approval.resolved'),
  );
});

/** A turn of which nobody can know whether it arrived. */
async function inQuestion(world: World, id: string): Promise<string> {
  const turnId = await running(world, id);
  world.runner.say(id, 'turn.ended', { turnId, state: 'unknown' }, turnId);
  await until('asked', async () => (await inbox(world)).some((one) => one.turnId === turnId));
  return turnId;
}
const inbox = async (world: World) =>
  (await world.feature.approvals.list(world.actor, { state: 'waiting', limit: 10 })).items;

test('a message in question waits in the inbox, and its answer there is the answer to the turn', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const turnId = await inQuestion(world, id);
  const [question] = await inbox(world);
  expect(question).toMatchObject({
    about: 'delivery',
    turnId,
    facts: [{ label: 'message', value: 'work' }],
    options: [{ optionId: 'resend' }, { optionId: 'arrived' }, { optionId: 'drop' }],
  });
  // The question is there first, then the session says so.
  await until('waiting', async () => (await feature.sessions.get(actor, id)).status === 'waiting');
  expect((await feature.sessions.get(actor, id)).waitingApprovals).toBe(1);
  const before = runner.delivered.length;
  const decided = await feature.approvals.decide(actor, question?.id ?? '', {
    optionId: 'resend',
    revision: question?.revision ?? 0,
  });
  expect(decided).toMatchObject({ state: 'decided', decidedBy: { name: 'Ada' } });
  expect(await inbox(world)).toEqual([]);
  await until('sent again', () => runner.delivered.length === before + 1);
  const [, delivery = ''] = runner.delivered;

  // In question once more: another question, which the process after this one knows too.
  runner.say(id, 'turn.started', { turnId: delivery }, delivery);
  runner.say(id, 'turn.ended', { turnId: delivery, state: 'unknown' }, delivery);
  await until('asked again', async () => (await inbox(world)).length === 1);
  await world.restart();
  const [second] = await inbox(world);
  expect(second?.id).not.toBe(question?.id);
  await world.feature.turns.settle(actor, id, turnId, { answer: 'arrived' });
  expect(await world.feature.approvals.get(actor, second?.id ?? '')).toMatchObject({
    state: 'decided',
    optionId: 'arrived',
  });
  await until('idle', async () => (await world.feature.sessions.get(actor, id)).status === 'idle');
  const events = await world.events(id);
  // In the log the question is the turn's end: no second card for the same thing.
  expect(events.filter((event) => event.kind.startsWith('approval.'))).toEqual([]);
});

test('of two who settle the same message in the same instant one wins, and the other learns who', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const eve = { ...actor, userId: randomUUID(), userName: 'Eve' };
  for (let round = 0; round < 10; round++) {
    const turnId = await inQuestion(world, id);
    const [question] = await inbox(world);
    const before = runner.turns.length;
    const { id: questionId = '', revision = 0 } = question ?? {};
    const both = [
      () => feature.approvals.decide(eve, questionId, { optionId: 'resend', revision }),
      () => feature.turns.settle(actor, id, turnId, { answer: 'drop' }),
    ];
    if (round % 2 === 1) both.reverse();
    const outcomes = await Promise.allSettled<unknown>(both.map((answer) => answer()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { decidedBy, optionId } = await feature.approvals.get(actor, questionId);
    const won = optionId === 'resend';
    expect(decidedBy?.name).toBe(won ? 'Eve' : 'Ada');
    const [lost] = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(lost?.reason).toMatchObject(
      won
        ? { code: 'turn-not-unknown' }
        : { code: 'already-decided', extra: { decision: { by: { name: 'Ada' } } } },
    );
    expect(runner.turns.length - before).toBe(won ? 1 : 0);
    if (won) {
      const delivery = runner.turns.at(-1)?.turnId ?? '';
      runner.say(id, 'turn.ended', { turnId: delivery, state: 'done' }, delivery);
      await until(
        'over',
        async () => (await feature.turns.get(actor, id, turnId)).state === 'done',
      );
    }
  }
});

test('usage that is counted by whoever takes a session over is not counted again by whoever had it', async () => {
  await using world = await openWorld();
  const { actor, db, runner } = world;
  const id = await world.ready();
  // The old process dies slowly: its event is stored, and before it counts it the next one takes over and does.
  await db.pool.query(`create function wait_a_little() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.3); return new; end $$`);
  await db.pool.query(
    `create trigger slow before update of input_tokens on session for each row execute function wait_a_little()`,
  );
  const old = world.feature;
  old.recordUsage(id, { model: 'm', inputTokens: 10, outputTokens: 5, costUsd: '0.5' });
  await until('stored', async () => (await world.events(id)).some((e) => e.kind === 'usage'));
  await world.restart();
  runner.say(id, 'notice', { code: 'x', text: 'x' }); // brings the session to the new process
  await pause(800);
  world.feature.recordUsage(id, { model: 'm', inputTokens: 1, outputTokens: 1 });
  await until(
    'counted',
    async () => (await world.feature.sessions.get(actor, id)).usage.inputTokens > 10,
  );
  expect((await world.feature.sessions.get(actor, id)).usage).toEqual({
    inputTokens: 11,
    outputTokens: 6,
    costUsd: '0.5',
  });
});

test('a sandbox that its runner does not understand is started again, once', async () => {
  await using world = await openWorld();
  const { feature, runner, hinted } = world;
  const id = await world.ready();
  const detail = 'another version';
  runner.say(id, 'sandbox.outdated', { generation: 1, detail });
  runner.say(id, 'sandbox.outdated', { generation: 1, detail });
  const journal = runner.journal(id);
  hinted.length = 0;
  await until('taken', () => journal.acked === journal.items.length && hinted.includes(id));
  expect(await feature.intents.get(id)).toMatchObject({ desired: 'running', generation: 2 });
  const notices = (await world.events(id)).filter(({ kind }) => kind === 'notice');
  expect(notices[0]?.payload).toEqual({ code: 'sandbox-outdated', text: detail });
});

test('a journal that is older than what the log has of it leaves the turn under way in question', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  const journal = runner.journal(id);
  const before = journal.items.length;
  const turnId = await running(world, id);
  await until('stored', () => journal.acked === journal.items.length);
  await runner.disconnect();
  // The machine's disk is put back to where it was before the message came: the runner does not know it.
  journal.items.length = before;
  journal.accepted.clear();
  const seen = journal.acked;
  await runner.reconnect();
  await until(
    'unknown',
    async () => (await world.feature.turns.get(actor, id, turnId)).state === 'unknown',
  );
  expect(journal.acked).toBe(seen); // so the runner sees it too
  expect(runner.delivered).toEqual([turnId]);
  await until('asked', async () => (await inbox(world)).some((one) => one.turnId === turnId));
  // The journal that it begins instead counts from 1, and all of it is taken.
  const begun = { sourceId: randomUUID(), items: [], acked: 0, accepted: new Set<string>() };
  runner.journals.set(id, begun);
  runner.say(id, 'error', { code: 'journal-rolled-back', detail: 'older' });
  await until('taken', () => begun.acked === 1);
  expect((await world.events(id)).at(-1)).toMatchObject({ kind: 'error' });
});

test('several questions at once, over a restart and for days; those of an agent that died are asked again', async () => {
  await using world = await openWorld();
  const { actor, runner, time } = world;
  const id = await world.ready();
  const turnId = await running(world, id);
  const options = [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }];
  const ask = (): string => {
    const approvalId = randomUUID();
    runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options }, turnId);
    return approvalId;
  };
  const yes = { optionId: 'yes', revision: 1 };
  const [a, b, c] = [ask(), ask(), ask()] as const;
  await until('all of them', async () => (await inbox(world)).length === 3);
  const waiting = async () => new Set((await inbox(world)).map((one) => one.id));
  expect(await waiting()).toEqual(new Set([a, b, c]));

  // The second is answered first, and the others wait on: over a restart, and until next week.
  await world.feature.approvals.decide(actor, b, yes);
  await world.restart();
  time.ms += 7 * 24 * 3_600_000;
  expect(await waiting()).toEqual(new Set([a, c]));
  await world.feature.approvals.decide(actor, a, yes);
  await until('told', () => runner.decisions.some((each) => each.approvalId === a));

  // The agent dies with the last one: nobody waits for its answer, and its successor asks anew.
  runner.say(id, 'approval.resolved', { approvalId: c, state: 'superseded' }, turnId);
  await until('superseded', async () => (await inbox(world)).length === 0);
  await expect(world.feature.approvals.decide(actor, c, yes)).rejects.toMatchObject({
    code: 'already-decided',
  });
  const again = ask();
  await until('asked again', async () => (await inbox(world))[0]?.id === again);
  await world.feature.approvals.decide(actor, again, yes);
  await until('told', () => runner.decisions.some((each) => each.approvalId === again));
  expect(runner.decisions.filter((each) => each.approvalId === c)).toEqual([]);
  // The runner is told before the event is committed.
  const ends = async () =>
    (await world.events(id)).filter((event) => event.kind === 'approval.resolved');
  await until('said', async () => (await ends()).length >= 4);
  expect((await ends()).map(({ payload }) => [payload['approvalId'], payload['state']])).toEqual([
    [b, 'decided'],
    [a, 'decided'],
    [c, 'superseded'],
    [again, 'decided'],
  ]);
});
