import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { inTransaction } from './sql.ts';
import { until } from './testing/until.ts';
import { openWorld, type World } from './testing/world.ts';
import { readTurn } from './turns.store.ts';

const text = (words: string) => [{ type: 'text' as const, text: words }];
const tables = ['session', 'session_head', 'session_event', 'turn', 'approval'];

/** What is in the tables at one moment; returned: nobody works with them any more, and it is put back. */
async function copy(world: World): Promise<() => Promise<void>> {
  const { pool } = world.db;
  await inTransaction(pool, async (sql) => {
    await sql.query('set transaction isolation level repeatable read');
    for (const table of tables)
      await sql.query(`create table copy_${table} as select * from ${table}`);
  });
  return async () => {
    await world.feature[Symbol.asyncDispose]();
    for (const table of tables) {
      await pool.query(`delete from ${table}`);
      await pool.query(`insert into ${table} select * from copy_${table}`);
    }
  };
}
async function taken({ runner }: World, id: string): Promise<void> {
  const journal = runner.journal(id);
  await until('taken', () => journal.acked === journal.items.length);
}
function speak({ runner }: World, id: string, turnId: string, words: string): void {
  runner.say(id, 'turn.started', { turnId }, turnId);
  runner.say(id, 'message', { messageId: randomUUID(), content: text(words) }, turnId);
  runner.say(id, 'turn.ended', { turnId, state: 'done' }, turnId);
}

test('a copy that lacks what the runner has no more: said once, what was open is asked about, and the session goes on', async () => {
  await using world = await openWorld();
  const { actor, runner, time } = world;
  const [id, other] = [await world.ready(), await world.ready()];
  const [open, waits, gone] = [randomUUID(), randomUUID(), randomUUID()];
  await world.feature.turns.create(actor, id, { id: open, prompt: text('open') });
  await world.feature.turns.create(actor, id, { id: waits, prompt: text('waits') });
  runner.say(id, 'turn.started', { turnId: open }, open);
  runner.say(id, 'message.delta', { messageId: 'm', text: 'half' }, open);
  const approvalId = randomUUID();
  const options = [{ optionId: 'yes', name: 'Yes', kind: 'allow_once' }];
  runner.say(id, 'approval.requested', { approvalId, title: 'May I?', options }, open);
  await taken(world, id);
  const putBack = await copy(world);

  // What was said after the copy was made; the runner has the last of it only.
  runner.say(id, 'message.end', { messageId: 'm' }, open);
  runner.say(id, 'turn.ended', { turnId: open, state: 'done' }, open);
  await until('the next', () => runner.delivered.includes(waits));
  speak(world, id, waits, 'second');
  await world.feature.turns.create(actor, id, { id: gone, prompt: text('gone') });
  await until('the last', () => runner.delivered.includes(gone));
  speak(world, id, gone, 'third');
  await taken(world, id);
  await taken(world, other);
  await runner.disconnect();
  const journal = runner.journal(id);
  journal.forgotten = journal.items.length - 2;
  journal.acked = 0; // so that `taken` is about what follows
  await putBack();

  time.ms += 60_000;
  await world.restart({ reconnect: false });
  const { feature } = world;
  const later = randomUUID();
  await feature.turns.create(actor, id, { id: later, prompt: text('later') });
  await runner.reconnect();
  const logged = async (kind: string) =>
    (await world.events(id)).filter((event) => event.kind === kind);
  const restored = async () =>
    (await logged('notice')).filter(({ payload }) => payload['code'] === 'log-restored');
  await taken(world, id);
  expect(await restored()).toHaveLength(1);
  // The text that stood open ends where the copy has it; what the runner still had follows.
  expect((await logged('message')).map(({ payload }) => payload['content'])).toEqual([
    text('half'),
    text('third'),
  ]);
  for (const turnId of [open, waits])
    expect((await readTurn(world.db.pool, id, turnId))?.state).toBe('unknown');
  expect((await readTurn(world.db.pool, id, later))?.state).toBe('queued');
  const inbox = async () =>
    (await feature.approvals.list(actor, { state: 'waiting', limit: 10 })).items.map(
      ({ turnId }) => turnId,
    );
  await until('asked', async () => (await inbox()).length === 2);
  expect(new Set(await inbox())).toEqual(new Set([open, waits]));

  // Nothing of it is found again, and nothing comes and goes.
  await runner.reconnect();
  await world.restart();
  expect(await restored()).toHaveLength(1);
  const settled = world.feature.turns;
  await settled.settle(actor, id, open, { answer: 'arrived' });
  await settled.settle(actor, id, waits, { answer: 'drop' });
  await until('goes on', () => runner.delivered.includes(later));
  speak(world, id, later, 'fourth');
  await taken(world, id);
  expect((await settled.get(actor, id, later)).state).toBe('done');
  expect((await logged('message')).map(({ payload }) => payload['content'])).toEqual(
    ['half', 'third', 'fourth'].map(text),
  );
  expect(runner.drops).toBe(0);
  expect(runner.failures).toEqual([]);
  expect((await world.feature.sessions.get(actor, other)).status).toBe('idle');
});

test('what is sent the moment that the runner is there is not taken for something of the copy', async () => {
  await using world = await openWorld();
  const { actor, runner, time } = world;
  const id = await world.ready();
  await taken(world, id);
  const putBack = await copy(world);
  runner.say(id, 'notice', { code: 'any', text: 'after the copy' });
  await taken(world, id);
  await runner.disconnect();
  const journal = runner.journal(id);
  journal.forgotten = journal.items.length;
  await putBack();

  time.ms += 60_000;
  await world.restart({ reconnect: false });
  const { turns } = world.feature;
  const turnId = randomUUID();
  runner.online = true; // its link is there, its hello on the way
  await turns.create(actor, id, { id: turnId, prompt: text('now') });
  await until('sent', () => runner.delivered.includes(turnId));
  await runner.reconnect();
  speak(world, id, turnId, 'heard');
  await taken(world, id);
  expect((await turns.get(actor, id, turnId)).state).toBe('done');
  const notices = (await world.events(id)).filter(({ kind }) => kind === 'notice');
  expect(notices.map(({ payload }) => payload['code'])).toEqual(['log-restored']);
  expect(runner.drops).toBe(0);
});
