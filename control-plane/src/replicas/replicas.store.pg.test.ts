import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../store/testing/index.ts';
import * as store from './replicas.store.ts';

let db: TestDatabase;
beforeEach(async () => {
  db = await testDatabase();
});
afterEach(() => db[Symbol.asyncDispose]());

async function replica(silentMs = 0): Promise<string> {
  const id = randomUUID();
  await store.beat(db.pool, { id, url: `http://${id}`, roles: ['web'], secret: 's', facts: null });
  await db.pool.query(
    `update replica set heartbeat_at = now() - $2 * interval '1 millisecond' where id = $1`,
    [id, silentMs],
  );
  return id;
}
async function runner(at: string): Promise<string> {
  const id = randomUUID();
  await db.pool.query(`insert into runner (id, hash) values ($1, '')`, [id]);
  await store.claimRunner(db.pool, id, at);
  return id;
}
const alive = async () => (await store.readAlive(db.pool, 10_000)).map(({ id }) => id);

test('only the silent are swept, with the links that they held', async () => {
  const [here, gone] = [await replica(), await replica(70_000)];
  const [kept, free] = [await runner(here), await runner(gone)];
  expect(await alive()).toEqual([here]);
  await store.sweep(db.pool, 60_000);
  expect(await store.claimedBy(db.pool, here)).toEqual([kept]);
  expect(await store.claimedBy(db.pool, gone)).toEqual([]);
  await store.claimRunner(db.pool, free, here);
  expect((await store.claimedBy(db.pool, here)).toSorted()).toEqual([kept, free].toSorted());
});

test('a link is given up only by whoever has it; one that leaves takes its own claims with it', async () => {
  const [one, other] = [await replica(), await replica()];
  const link = await runner(one);
  await store.claimRunner(db.pool, link, other);
  await store.releaseRunner(db.pool, link, one);
  expect(await store.claimedBy(db.pool, other)).toEqual([link]);
  const own = await runner(one);
  await store.leave(db.pool, one);
  expect(await store.claimedBy(db.pool, other)).toEqual([link]);
  expect(await store.claimedBy(db.pool, one)).not.toContain(own);
  expect(await alive()).toEqual([other]);
});

test('a heartbeat says anew what a worker says of its sandboxes, and keeps the rest', async () => {
  const id = await replica(5_000);
  const facts = { driver: 'local', isolated: true };
  await store.beat(db.pool, { id, url: 'http://moved', roles: ['web'], secret: 'x', facts });
  expect(await store.readAlive(db.pool, 1_000)).toEqual([
    { id, url: `http://${id}`, roles: ['web'], secret: 's', facts },
  ]);
});
