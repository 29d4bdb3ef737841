import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { idleTooLong, suspendIdle } from './sessions.store.ts';
import { inTransaction } from './sql.ts';
import { openWorld } from './testing/world.ts';
import { insertTurn, readTurn } from './turns.store.ts';
import { hashOf } from './prompt.ts';

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
