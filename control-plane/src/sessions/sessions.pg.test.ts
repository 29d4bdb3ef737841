import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { Problem } from '@berth/contract';
import { decideApproval } from './approvals.store.ts';
import { idleTooLong } from './idle.store.ts';
import { readEpoch } from './log/heads.ts';
import { consumeNext, insertTurn, moveTurn, readTurn } from './turns.store.ts';
import { until } from './testing/until.ts';
import { openWorld, type World } from './testing/world.ts';

const text = (words: string) => [{ type: 'text' as const, text: words }];
const kinds = async (world: World, id: string) => (await world.events(id)).map((e) => e.kind);
const code = (problem: string) => expect.objectContaining({ code: problem }) as Problem;

/** An agent that answers every prompt with one streamed message. */
function answering(world: World, words = ['Hello', ' there']): void {
  world.runner.onTurn = (id, turnId) => {
    const { runner } = world;
    runner.say(id, 'turn.started', { turnId }, turnId);
    for (const word of words)
      runner.say(
        id,
        'message.delta',
        { messageId: `m-${turnId}`, text: word },
        turnId,
        '{"raw":1}',
      );
    runner.say(id, 'message.end', { messageId: `m-${turnId}` }, turnId);
    runner.say(id, 'turn.ended', { turnId, state: 'done', stopReason: 'end_turn' }, turnId);
  };
}

test('a session from its creation to the reply of its first message', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  answering(world);
  const changes: string[] = [];
  feature.sessions.onChange(({ sessionId }) => changes.push(sessionId));
  const turnId = randomUUID();
  const created = await feature.sessions.create(actor, {
    agentId: world.agentId,
    prompt: text('Please say hello\nand more'),
    turnId,
  });
  expect(created).toMatchObject({ status: 'starting', title: 'Please say hello', queued: 1 });
  expect(world.hinted).toEqual([created.id]);
  await feature.reports.phase(created.id, {
    phase: 'installing',
    progress: { done: 1, total: 2, unit: 'MB' },
  });
  await feature.reports.phase(created.id, { phase: 'starting' });
  await feature.reports.running(world.sandbox(created.id));
  await feature.reports.running(world.sandbox(created.id));
  expect(runner.binds).toHaveLength(1);
  expect(runner.binds[0]).toMatchObject({
    sessionId: created.id,
    env: { TEAM: 'harbour' },
    agentsDir: '/opt/agents/rehearsal',
    repository: { url: 'https://git.example.org/a/b.git' },
  });
  expect(runner.turns).toEqual([]);
  runner.say(created.id, 'sandbox.phase', { phase: 'agent-starting' });
  runner.say(created.id, 'agent.session', { agentSessionId: 'conversation-1' });
  runner.say(created.id, 'sandbox.phase', { phase: 'ready' });

  const ended = await feature.turns.ended(actor, created.id, turnId, AbortSignal.timeout(5_000));
  expect(ended).toMatchObject({ state: 'done', stopReason: 'end_turn', reply: 'Hello there' });
  await until('idle', async () => (await kinds(world, created.id)).at(-1) === 'session.status');
  expect(await kinds(world, created.id)).toEqual([
    'session.status',
    'sandbox.phase',
    'turn.queued',
    'sandbox.phase',
    'sandbox.phase',
    'sandbox.phase',
    'sandbox.phase',
    'session.status',
    'message.user',
    'turn.started',
    'message',
    'turn.ended',
    'session.status',
  ]);
  const events = await world.events(created.id);
  const statuses = events
    .filter((e) => e.kind === 'session.status')
    .map((e) => e.payload['status']);
  expect(statuses).toEqual(['starting', 'running', 'idle']);
  expect(events.find((e) => e.kind === 'message.user')).toMatchObject({
    turnId,
    payload: { turnId, by: { name: 'Ada' } },
  });
  const journal = runner.journal(created.id);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  expect(changes).toContain(created.id);
  const pieces = await Array.fromAsync(await feature.sessions.exportMarkdown(actor, created.id));
  expect(pieces.join('')).toContain('## Agent\n\nHello there');
  const rows = await world.db.pool.query<{ raw: string | null }>(
    `select raw from session_event where session_id = $1 and kind = 'message.delta'`,
    [created.id],
  );
  expect(rows.rows[0]?.raw).toContain('{"raw":1}');
});

test('the same message twice is one; under its id another text is refused', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  const [one, two] = await Promise.all([
    feature.turns.create(actor, id, { id: turnId, prompt: text('once') }),
    feature.turns.create(actor, id, { id: turnId, prompt: text('once') }),
  ]);
  expect([one.created, two.created].sort()).toEqual([false, true]);
  await expect(
    feature.turns.create(actor, id, { id: turnId, prompt: text('other') }),
  ).rejects.toEqual(code('turn-id-reused'));
  await until('sent', () => runner.turns.length === 1);
  expect((await kinds(world, id)).filter((kind) => kind === 'turn.queued')).toHaveLength(1);
});

test('one turn is in flight; the queue can be edited, reordered and withdrawn', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const [a, b, c, d] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()] as const;
  for (const turn of [a, b, c, d])
    await feature.turns.create(actor, id, { id: turn, prompt: text(turn) });
  expect(runner.turns.map((t) => t.turnId)).toEqual([a]);
  // As large as JSON carries a whole number, and more than a column of Postgres does.
  const far = { position: Number.MAX_SAFE_INTEGER };
  expect(await feature.turns.patch(actor, id, d, null, far)).toMatchObject({ position: 2 });
  expect(await feature.turns.patch(actor, id, d, null, { position: 0 })).toMatchObject({
    position: 0,
  });
  await feature.turns.patch(actor, id, c, null, { prompt: text('edited') });
  expect(await feature.turns.withdraw(actor, id, b)).toMatchObject({ state: 'cancelled' });
  expect(await feature.turns.withdraw(actor, id, b)).toMatchObject({ state: 'cancelled' });
  await expect(feature.turns.withdraw(actor, id, a)).rejects.toEqual(code('turn-already-sent'));
  await expect(feature.turns.patch(actor, id, a, null, { position: 0 })).rejects.toEqual(
    code('turn-already-sent'),
  );
  runner.say(id, 'turn.started', { turnId: a }, a);
  runner.say(id, 'turn.ended', { turnId: a, state: 'done' }, a);
  await until('d', () => runner.turns.length === 2);
  runner.say(id, 'turn.started', { turnId: d }, d);
  runner.say(
    id,
    'turn.ended',
    { turnId: d, state: 'failed', error: { code: 'x', detail: 'y' } },
    d,
  );
  await until('c', () => runner.turns.length === 3);
  expect(runner.turns.map((t) => t.turnId)).toEqual([a, d, c]);
  expect(runner.turns[2]?.prompt).toEqual(text('edited'));
  const page = await feature.turns.list(actor, id, { limit: 3 });
  expect(page.items).toHaveLength(3);
  const rest = await feature.turns.list(actor, id, { limit: 3, cursor: page.nextCursor ?? '' });
  expect([...page.items, ...rest.items].map((t) => t.id).sort()).toEqual([a, b, c, d].sort());
});

test('withdraw and consume exclude each other', async () => {
  await using world = await openWorld();
  const { actor, db } = world;
  const { id } = await world.feature.sessions.create(actor, { agentId: world.agentId });
  const epoch = (await readEpoch(db.pool, id)) ?? 0;
  const seen = new Set<string>();
  for (let round = 0; round < 60; round++) {
    const turnId = randomUUID();
    const at = new Date();
    await insertTurn(
      db.pool,
      { id: turnId, sessionId: id, prompt: text('x'), promptHash: Buffer.alloc(1), at },
      actor,
    );
    const both = [
      () => consumeNext(db.pool, id, epoch, at),
      () => moveTurn(db.pool, id, turnId, { kind: 'withdrawn' }, 'cancelled', at),
    ];
    if (round % 2 === 1) both.reverse();
    const moved = (await Promise.all(both.map((move) => move()))).filter((row) => row !== null);
    expect(moved).toHaveLength(1);
    const [state = ''] = moved.map((row) => row.state);
    seen.add(state);
    expect((await readTurn(db.pool, id, turnId))?.state).toBe(state);
    if (state === 'sent')
      await moveTurn(db.pool, id, turnId, { kind: 'ended', state: 'done' }, 'done', at);
  }
  expect([...seen].sort()).toEqual(['cancelled', 'sent']);
});

test('of two who decide, one wins and the other learns who', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await feature.turns.create(actor, id, { id: turnId, prompt: text('ask me') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  const approvalId = randomUUID();
  runner.say(
    id,
    'approval.requested',
    {
      approvalId,
      title: 'Write a file',
      options: [
        { optionId: 'yes', name: 'Allow', kind: 'allow_once' },
        { optionId: 'no', name: 'Reject', kind: 'reject_once' },
      ],
    },
    turnId,
  );
  const [asked] = await until('the inbox', async () => {
    const { items } = await feature.approvals.list(actor, { state: 'waiting', limit: 10 });
    return items.length > 0 ? items : null;
  });
  expect(asked).toMatchObject({ id: approvalId, revision: 1, turnId, agentName: 'Rehearsal' });
  await until('waiting', async () => (await feature.sessions.get(actor, id)).status === 'waiting');
  await expect(
    feature.approvals.decide(actor, approvalId, { optionId: 'maybe', revision: 1 }),
  ).rejects.toEqual(code('invalid-request'));
  const eve = { ...actor, userId: randomUUID(), userName: 'Eve' };
  const outcomes = await Promise.allSettled([
    feature.approvals.decide(actor, approvalId, { optionId: 'yes', revision: 1 }),
    feature.approvals.decide(eve, approvalId, { optionId: 'no', revision: 1 }),
  ]);
  const winner = outcomes.find((o) => o.status === 'fulfilled')?.value;
  const loser: unknown = outcomes.find((o) => o.status === 'rejected')?.reason;
  expect(loser).toBeInstanceOf(Problem);
  expect(loser).toMatchObject({
    code: 'already-decided',
    extra: { decision: { optionId: winner?.optionId, by: winner?.decidedBy } },
  });
  await until('decided', () => runner.decisions.length > 0);
  expect(runner.decisions).toEqual([{ approvalId, optionId: winner?.optionId }]);
  await until('running', async () => (await feature.sessions.get(actor, id)).status === 'running');
  const resolved = (await world.events(id)).filter((e) => e.kind === 'approval.resolved');
  expect(resolved).toHaveLength(1);
  // The runner's own word comes too late.
  runner.say(id, 'approval.resolved', { approvalId, state: 'superseded' }, turnId);
  // Handed over again after a reconnect, because the turn still waits for it.
  await runner.disconnect();
  await runner.reconnect();
  await until('again', () => runner.decisions.length === 2);
  expect((await feature.approvals.get(actor, approvalId)).state).toBe('decided');
  expect(
    await world.feature.approvals
      .get({ ...actor, teamId: randomUUID() }, approvalId)
      .catch((e: unknown) => e),
  ).toEqual(code('not-found'));
});

test('a runner that resends everything after a restart doubles nothing', async () => {
  await using world = await openWorld();
  const { actor, runner } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await world.feature.turns.create(actor, id, { id: turnId, prompt: text('long') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  const journal = runner.journal(id);
  for (let i = 0; i < 50; i++) {
    runner.say(id, 'message.delta', { messageId: 'm', text: `${String(i)} ` }, turnId);
    if (i === 20) await until('some are stored', () => journal.acked > 5);
  }
  await world.restart();
  expect(runner.turns.filter((t) => t.turnId === turnId).length).toBeGreaterThanOrEqual(1);
  for (let i = 50; i < 60; i++)
    runner.say(id, 'message.delta', { messageId: 'm', text: `${String(i)} ` }, turnId);
  runner.say(id, 'message.end', { messageId: 'm' }, turnId);
  runner.say(id, 'turn.ended', { turnId, state: 'done' }, turnId);
  const whole = Array.from({ length: 60 }, (_, i) => `${String(i)} `).join('');
  const ended = await world.feature.turns.ended(actor, id, turnId, AbortSignal.timeout(5_000));
  expect(ended).toMatchObject({ state: 'done', reply: whole });
  expect(runner.delivered.filter((t) => t === turnId)).toEqual([turnId]);
  const { rows } = await world.db.pool.query<{ seq: number; kind: string; text: string | null }>(
    `select seq::float8 as seq, kind, payload ->> 'text' as text from session_event where session_id = $1 order by seq`,
    [id],
  );
  expect(rows.map((r) => r.seq)).toEqual(rows.map((_, i) => i + 1));
  expect(
    rows
      .filter((r) => r.kind === 'message.delta')
      .map((r) => r.text)
      .join(''),
  ).toBe(whole);
  expect(rows.filter((r) => r.kind === 'turn.started')).toHaveLength(1);
  const [message] = (await world.events(id)).filter((e) => e.kind === 'message');
  const deltas = rows.filter((r) => r.kind === 'message.delta').map((r) => r.seq);
  expect(message?.payload['supersedes']).toEqual({ from: deltas[0], to: deltas.at(-1) });
});

test('a lost journal leaves the message in question, and a person settles it', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const [turnId, next] = [randomUUID(), randomUUID()];
  await feature.turns.create(actor, id, { id: turnId, prompt: text('first') });
  await feature.turns.create(actor, id, { id: next, prompt: text('second') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  await until(
    'running',
    async () => (await feature.turns.get(actor, id, turnId)).state === 'running',
  );
  await runner.disconnect();
  runner.journals.set(id, { sourceId: randomUUID(), items: [], acked: 0, accepted: new Set() });
  await runner.reconnect();
  await until(
    'unknown',
    async () => (await feature.turns.get(actor, id, turnId)).state === 'unknown',
  );
  await until('waiting', async () => (await feature.sessions.get(actor, id)).status === 'waiting');
  expect(runner.delivered).toEqual([turnId]);
  await expect(feature.turns.settle(actor, id, next, { answer: 'drop' })).rejects.toEqual(
    code('turn-not-unknown'),
  );
  expect(await feature.turns.settle(actor, id, turnId, { answer: 'resend' })).toMatchObject({
    state: 'sent',
  });
  await until('sent again', () => runner.delivered.length === 2);
  // Under another id: the runner never delivers one twice. What it says of it is said of the turn.
  const [, delivery = ''] = runner.delivered;
  expect(delivery).not.toBe(turnId);
  await world.restart();
  runner.say(id, 'turn.started', { turnId: delivery }, delivery);
  runner.say(id, 'turn.ended', { turnId: delivery, state: 'done' }, delivery);
  await until('the next', () => runner.delivered.includes(next));
  const settled = await world.feature.turns.ended(actor, id, turnId, AbortSignal.timeout(5_000));
  expect(settled?.state).toBe('done');
  const events = await world.events(id);
  expect(events.filter((e) => e.kind === 'message.user')).toHaveLength(1);
  expect(events.filter((e) => e.kind === 'turn.ended').map((e) => e.turnId)).toEqual([
    turnId,
    turnId,
  ]);
  expect(runner.delivered).toHaveLength(3);
});

test('what died between a row and its event is said by the next process', async () => {
  await using world = await openWorld();
  const { actor, db, runner } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await world.feature.turns.create(actor, id, { id: turnId, prompt: text('ask') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  const approvalId = randomUUID();
  const option = { optionId: 'yes', name: 'Yes', kind: 'allow_once' };
  runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options: [option] }, turnId);
  const journal = runner.journal(id);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  const at = new Date();
  const late = randomUUID();
  await insertTurn(
    db.pool,
    { id: late, sessionId: id, prompt: text('x'), promptHash: Buffer.alloc(1), at },
    actor,
  );
  const by = { id: actor.userId, name: actor.userName };
  await decideApproval(db.pool, {
    teamId: actor.teamId,
    id: approvalId,
    revision: 1,
    optionId: 'yes',
    note: null,
    by,
    at,
  });
  await world.restart();
  await until('decided', () => runner.decisions.length > 0);
  await world.restart();
  const events = await world.events(id);
  const queued = events.filter((e) => e.kind === 'turn.queued').map((e) => e.turnId);
  expect(queued).toEqual([turnId, late]);
  expect(events.filter((e) => e.kind === 'approval.resolved')).toMatchObject([
    { payload: { approvalId, state: 'decided', by: { name: 'Ada' } } },
  ]);
});

test('a turn that ends takes its open questions and its open texts with it, once', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await feature.turns.create(actor, id, { id: turnId, prompt: text('ask') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  runner.say(id, 'message.delta', { messageId: 'm', text: 'half' }, turnId);
  const approvalId = randomUUID();
  const option = { optionId: 'yes', name: 'Yes', kind: 'allow_once' };
  runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options: [option] }, turnId);
  await until('running', async () => (await feature.sessions.get(actor, id)).status === 'waiting');
  expect(await feature.sessions.get(actor, id)).not.toHaveProperty('cancelRequestedAt');
  const { cancelRequestedAt } = await feature.sessions.cancel(actor, id);
  expect(cancelRequestedAt).toBeDefined();
  // Asked twice: since the first time.
  expect(await feature.sessions.cancel(actor, id)).toMatchObject({ cancelRequestedAt });
  runner.say(id, 'turn.ended', { turnId, state: 'cancelled', stopReason: 'cancelled' }, turnId);
  runner.say(id, 'approval.resolved', { approvalId, state: 'superseded' }, turnId);
  const turn = await feature.turns.ended(actor, id, turnId, AbortSignal.timeout(5_000));
  expect(turn).toMatchObject({ state: 'cancelled', reply: 'half' });
  const journal = runner.journal(id);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  await until('idle', async () => (await feature.sessions.get(actor, id)).status === 'idle');
  expect(await feature.sessions.get(actor, id)).not.toHaveProperty('cancelRequestedAt');
  const events = await world.events(id);
  expect(events.filter((e) => e.kind === 'approval.resolved')).toHaveLength(1);
  expect(events.filter((e) => e.kind === 'message')).toHaveLength(1);
  await expect(
    feature.approvals.decide(actor, approvalId, { optionId: 'yes', revision: 1 }),
  ).rejects.toEqual(code('already-decided'));
});

test('while the database is away nothing is acknowledged, and afterwards nothing is missing', async () => {
  await using world = await openWorld();
  const { actor, feature, runner, db } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await feature.turns.create(actor, id, { id: turnId, prompt: text('go') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  const journal = runner.journal(id);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  const name = new URL(db.url).pathname.slice(1);
  const outside = new URL(db.url);
  outside.pathname = '/postgres';
  const admin = new pg.Client({ connectionString: outside.href });
  await admin.connect();
  // Nobody may connect any more, and who is connected is thrown out.
  await admin.query(`alter database ${name} with allow_connections false`);
  await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [
    name,
  ]);
  const before = journal.acked;
  for (let i = 0; i < 200; i++)
    runner.say(id, 'message.delta', { messageId: 'm', text: `${String(i)} ` }, turnId);
  runner.say(id, 'turn.ended', { turnId, state: 'done' }, turnId);
  await expect(feature.sessions.get(actor, id)).rejects.toEqual(code('not-ready'));
  await expect(
    feature.turns.create(actor, id, { id: randomUUID(), prompt: text('now?') }),
  ).rejects.toEqual(code('not-ready'));
  expect(journal.acked).toBe(before);
  await admin.query(`alter database ${name} with allow_connections true`);
  await admin.end();
  await until('all acknowledged', () => journal.acked === journal.items.length);
  const whole = Array.from({ length: 200 }, (_, i) => `${String(i)} `).join('');
  const turn = await feature.turns.ended(actor, id, turnId, AbortSignal.timeout(5_000));
  expect(turn).toMatchObject({ state: 'done', reply: whole });
  expect(runner.drops).toBe(0);
});

test('a sandbox that runs is bound with the record of what lies in it, also after an upgrade', async () => {
  await using world = await openWorld();
  const { actor, feature, runner, agentId } = world;
  const { id } = await feature.sessions.create(actor, { agentId });
  await feature.reports.phase(id, { phase: 'starting' });
  const agents = [{ name: 'rehearsal', hostPath: '/agents/rehearsal/0.9.0' }];
  await feature.reports.running({ ...world.sandbox(id), agents });
  expect(runner.binds.at(-1)?.harness.version).toBe('0.9.0');
  // One that does not say what it was started with has the current one.
  const other = await feature.sessions.create(actor, { agentId });
  await feature.reports.phase(other.id, { phase: 'starting' });
  await feature.reports.running(world.sandbox(other.id));
  expect(runner.binds.at(-1)?.harness.version).toBe('1.0.0');
});

test('a suspended session wakes on a message; a deleted one is gone at once and leaves no row', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  expect(await feature.sessions.suspend(actor, id)).toMatchObject({ status: 'suspending' });
  await feature.reports.quiesce(id, AbortSignal.timeout(1000));
  expect(runner.calls).toEqual([{ method: 'quiesce', params: {} }]);
  await feature.reports.phase(id, { phase: 'suspending' });
  await feature.reports.phase(id, { phase: 'suspended' });
  expect((await feature.sessions.get(actor, id)).status).toBe('suspended');
  const turnId = randomUUID();
  await feature.turns.create(actor, id, { id: turnId, prompt: text('wake up') });
  expect((await feature.sessions.get(actor, id)).status).toBe('waking');
  expect(await feature.intents.get(id)).toMatchObject({ desired: 'running', generation: 1 });
  await feature.reports.phase(id, { phase: 'waking' });
  await feature.reports.phase(id, { phase: 'starting' });
  await feature.reports.running(world.sandbox(id));
  expect(runner.binds).toHaveLength(2);
  runner.say(id, 'sandbox.phase', { phase: 'agent-starting' });
  runner.say(id, 'sandbox.phase', { phase: 'ready' });
  await until('delivered', () => runner.delivered.includes(turnId));
  const statuses = await until('running, also in the log', async () => {
    const events = (await world.events(id)).filter((e) => e.kind === 'session.status');
    return events.at(-1)?.payload['status'] === 'running'
      ? events.map((e) => e.payload['status'])
      : null;
  });
  expect(statuses).toEqual(['starting', 'idle', 'suspending', 'suspended', 'waking', 'running']);

  await feature.sessions.remove(actor, id);
  await expect(feature.sessions.get(actor, id)).rejects.toEqual(code('not-found'));
  expect((await feature.sessions.list(actor, { limit: 10 })).items).toEqual([]);
  expect(await feature.intents.get(id)).toMatchObject({ desired: 'removed' });
  await feature.reports.removed(id);
  await feature.reports.removed(id);
  expect(runner.purged).toEqual([id]);
  for (const table of ['session_event', 'session_head', 'turn']) {
    const { rowCount } = await world.db.pool.query(`select 1 from ${table} where session_id = $1`, [
      id,
    ]);
    expect(rowCount).toBe(0);
  }
  // Late items of a session that is gone are answered by the wish to forget it.
  runner.say(id, 'notice', { code: 'late', text: 'late' });
  await until('purged again', () => runner.purged.length === 2);
});

test('a failed sandbox says why, and a resume replaces it', async () => {
  await using world = await openWorld();
  const { actor, feature } = world;
  const id = await world.ready();
  await feature.reports.phase(id, {
    phase: 'failed',
    reason: 'killed: out of memory',
    logs: ['x'],
  });
  expect(await feature.sessions.get(actor, id)).toMatchObject({
    status: 'failed',
    reason: 'killed: out of memory',
    sandbox: { phase: 'failed' },
  });
  expect(await feature.sessions.resume(actor, id)).toMatchObject({ status: 'starting' });
  expect(await feature.intents.get(id)).toMatchObject({ desired: 'running', generation: 2 });
});

test('long tool output goes to a blob; what the runner may not say becomes an error', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const output = 'line\n'.repeat(20_000);
  runner.say(id, 'tool', { toolCallId: 't', status: 'completed', output: { text: output } });
  runner.say(id, 'tool', { toolCallId: 'u', status: 'completed', output: { text: 'short' } });
  runner.say(id, 'tool', { status: 'no such status' });
  runner.say(id, 'message.user', { messageId: 'x', turnId: randomUUID(), content: [] });
  runner.say(id, 'Bad Kind', {});
  runner.say(id, 'later.kind', { of: 'another version', nul: '\u0000', lone: '\ud800' });
  runner.say(id, 'message.delta', { messageId: 5 });
  const journal = runner.journal(id);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  const events = (await world.events(id)).slice(-7);
  expect(events.map((e) => e.kind)).toEqual([
    'tool',
    'tool',
    'error',
    'error',
    'error',
    'later.kind',
    'error',
  ]);
  expect(events[5]?.payload).toEqual({ of: 'another version', nul: '\u0000', lone: '\ud800' });
  const { blobId } = events[0]?.payload['output'] as { blobId: string };
  const blob = await feature.log.blob(actor, id, blobId);
  expect(Buffer.from(blob.bytes).toString()).toBe(output);
  await expect(feature.log.blob({ ...actor, teamId: randomUUID() }, id, blobId)).rejects.toEqual(
    code('not-found'),
  );
});

test('what was typed in the agent’s own terminal is told once, is nobody’s turn, and takes no turn’s name', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await feature.turns.create(actor, id, { id: turnId, prompt: text('mine') });
  const typed = (of: string, more: object = {}) => ({
    messageId: randomUUID(),
    turnId: of,
    content: text('typed'),
    via: 'terminal',
    ...more,
  });
  const free = randomUUID();
  runner.say(id, 'message.user', typed(free), free);
  runner.say(id, 'message', { messageId: 'm', content: text('heard') }, free);
  runner.say(id, 'message.user', typed(turnId), turnId);
  runner.say(id, 'message.user', typed(free));
  const other = randomUUID();
  runner.say(id, 'message.user', typed(other, { by: { id: actor.userId, name: 'x' } }), other);
  const journal = runner.journal(id);
  // All of it comes once more, as after a reconnect.
  runner.events.events(id, journal.sourceId, journal.items);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  const events = await world.events(id);
  const told = events.filter((e) => e.kind === 'message.user' && e.payload['via'] === 'terminal');
  expect(told).toMatchObject([{ turnId: free, payload: { turnId: free, content: text('typed') } }]);
  expect(events.filter((e) => e.kind === 'error')).toHaveLength(3);
  expect((await feature.turns.list(actor, id, { limit: 9 })).items.map((turn) => turn.id)).toEqual([
    turnId,
  ]);
});

test('silence is called stalled, a missed runner lost, and both go when it speaks', async () => {
  await using world = await openWorld();
  const { actor, feature, runner, time } = world;
  const id = await world.ready();
  const turnId = randomUUID();
  await feature.turns.create(actor, id, { id: turnId, prompt: text('hm') });
  runner.say(id, 'turn.started', { turnId }, turnId);
  const journal = runner.journal(id);
  await until('all acknowledged', () => journal.acked === journal.items.length);
  time.ms += 5 * 60_000;
  await until('stalled', async () => (await feature.sessions.get(actor, id)).status === 'stalled');
  runner.say(id, 'message.delta', { messageId: 'm', text: 'I am here' }, turnId);
  await until('running', async () => (await feature.sessions.get(actor, id)).status === 'running');
  await runner.disconnect();
  time.ms += 30_000;
  await until('lost', async () => (await feature.sessions.get(actor, id)).status === 'lost');
  await runner.reconnect();
  await until('back', async () => (await feature.sessions.get(actor, id)).status === 'running');
}, 40_000);

test('the policy stands before the runner has the token, and goes with the session', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const policies = new Map<string, unknown>();
  feature.egressPolicies.watch({
    set: (policy) => policies.set(policy.sessionId, policy),
    forget: (id) => policies.delete(id),
  });
  const id = await world.ready();
  expect(policies.get(id)).toMatchObject({
    teamId: actor.teamId,
    allow: ['example.com', 'git.example.org'],
  });
  expect(JSON.stringify(policies.get(id))).not.toContain(runner.binds[0]?.egressToken);
  expect(feature.sessionContext(id)).toMatchObject({ teamId: actor.teamId, allowedModels: [] });
  feature.recordUsage(id, { model: 'm', inputTokens: 10, outputTokens: 5, costUsd: '0.0125' });
  feature.recordUsage(id, { model: 'm', inputTokens: 1, outputTokens: 2 });
  await until(
    'counted',
    async () => (await feature.sessions.get(actor, id)).usage.inputTokens === 11,
  );
  expect((await feature.sessions.get(actor, id)).usage).toEqual({
    inputTokens: 11,
    outputTokens: 7,
    costUsd: '0.0125',
  });
  await feature.sessions.remove(actor, id);
  await feature.reports.removed(id);
  expect(policies.size).toBe(0);
});

test('lists are pages, scoped to the team, and patches know their version', async () => {
  await using world = await openWorld();
  const { actor, feature } = world;
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    world.time.ms += 1;
    ids.unshift((await feature.sessions.create(actor, { agentId: world.agentId })).id);
  }
  const first = await feature.sessions.list(actor, { limit: 2 });
  world.time.ms += 1;
  await feature.sessions.create(actor, { agentId: world.agentId });
  const second = await feature.sessions.list(actor, { limit: 10, cursor: first.nextCursor ?? '' });
  expect([...first.items, ...second.items].map((s) => s.id)).toEqual(ids);
  expect(second.nextCursor).toBeNull();
  await expect(feature.sessions.list(actor, { limit: 1, cursor: 'x' })).rejects.toEqual(
    code('invalid-request'),
  );
  const foreign = { ...actor, teamId: randomUUID() };
  expect((await feature.sessions.list(foreign, { limit: 10 })).items).toEqual([]);
  const [id = ''] = ids;
  await expect(feature.sessions.get(foreign, id)).rejects.toEqual(code('not-found'));
  await expect(feature.sessions.get(actor, 'not-an-id')).rejects.toEqual(code('not-found'));
  await expect(feature.sessions.remove(foreign, id)).rejects.toEqual(code('not-found'));
  const patched = await feature.sessions.patch(actor, id, 1, {
    title: 'Named',
    budget: { limitUsd: '5.00' },
    readSeq: 2,
  });
  expect(patched).toMatchObject({
    title: 'Named',
    version: 2,
    unreadSeq: 2,
    budget: { limitUsd: '5' },
  });
  await expect(feature.sessions.patch(actor, id, 1, { title: 'Again' })).rejects.toEqual(
    code('version-stale'),
  );
  await feature.sessions.archive(actor, id);
  await expect(
    feature.turns.create(actor, id, { id: randomUUID(), prompt: text('x') }),
  ).rejects.toEqual(code('session-archived'));
  expect(
    (await feature.sessions.list(actor, { limit: 10, archived: true })).items.map((s) => s.id),
  ).toEqual([id]);
});

test('while the agent’s own terminal holds the conversation, the chat waits', async () => {
  await using world = await openWorld();
  const { actor, feature, runner } = world;
  const id = await world.ready();
  runner.say(id, 'agent.session', { agentSessionId: 'c', holder: 'terminal' });
  await until(
    'terminal',
    async () => (await feature.sessions.get(actor, id)).holder === 'terminal',
  );
  const turnId = randomUUID();
  const usage = { inputTokens: 7, outputTokens: 3 };
  const { turn } = await feature.turns.create(actor, id, { id: turnId, prompt: text('later') });
  expect(turn.state).toBe('queued');
  expect(runner.turns).toEqual([]);
  // Nothing works, so nothing is said to.
  expect(await feature.sessions.get(actor, id)).toMatchObject({ status: 'idle', queued: 1 });
  runner.say(id, 'agent.session', { agentSessionId: 'c', holder: 'chat' });
  await until('sent', () => runner.delivered.includes(turnId));
  // An agent without a model says itself what it used.
  runner.say(id, 'turn.ended', { turnId, state: 'done', usage }, turnId);
  await until(
    'counted',
    async () => (await feature.sessions.get(actor, id)).usage.inputTokens === 7,
  );
  await world.restart();
  expect((await world.feature.sessions.get(actor, id)).usage).toMatchObject(usage);
});

test('an idle session is suspended when its agent says so', async () => {
  await using world = await openWorld();
  const { actor, db, feature, time } = world;
  const [id, other] = [await world.ready(), await world.ready()];
  expect(await idleTooLong(db.pool, new Date(time.ms + 3_600_000))).toEqual([]);
  await db.pool.query(`update agent set idle_suspend_ms = 60000 where id = $1`, [world.agentId]);
  await feature.turns.create(actor, other, { id: randomUUID(), prompt: text('busy') });
  const due = (ms: number) => idleTooLong(db.pool, new Date(ms));
  // The head's time is the database's own.
  expect(await due(Date.now() - 60_000)).toEqual([]);
  expect(await due(Date.now() + 120_000)).toEqual([id]);
});
