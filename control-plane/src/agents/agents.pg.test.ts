import type { Harness } from '@berth/contract';
import { expect, test } from 'vitest';
import { createIds } from '../ids.ts';
import { testDatabase } from '../store/testing/index.ts';
import { createAgents } from './agents.ts';

const harness = (id: string, needsModel: boolean): Harness => ({
  id,
  title: id.toUpperCase(),
  version: '1.0.0',
  installed: true,
  needsModel,
  modes: ['ask', 'auto'],
  terminal: 'none',
});

async function setUp() {
  const db = await testDatabase();
  const time = { ms: Date.parse('2026-11-22T12:00:00.000Z') };
  const clock = { now: () => time.ms++ };
  const newId = createIds(clock);
  const list = [harness('rehearsal', false), harness('codex', true)];
  const changed: string[] = [];
  const agents = createAgents({
    sql: db.pool,
    clock,
    newId,
    harnesses: { list: () => Promise.resolve(list) },
    changed: (id) => {
      changed.push(id);
      return Promise.resolve();
    },
  });
  return {
    db,
    agents,
    changed,
    newId,
    team: { teamId: newId() },
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  };
}
const input = { name: 'Ada', harness: 'rehearsal', mode: 'ask' } as const;

test('what goes in comes out, and absent stays absent', async () => {
  await using at = await setUp();
  const small = await at.agents.create(at.team, input);
  expect(Object.keys(small).sort()).toEqual(
    ['createdAt', 'harness', 'id', 'mode', 'name', 'updatedAt', 'version'].sort(),
  );
  const fields = {
    ...input,
    model: 'gpt',
    instructions: 'Be kind. \u{1F984}',
    repository: { url: 'https://example.com/a.git', ref: 'main' },
    egress: { allow: ['*.example.com'] },
    env: { A: 'b', B: '' },
    idleSuspendMs: 2_592_000_000,
  };
  const full = await at.agents.create(at.team, fields);
  expect(full).toMatchObject(fields);
  expect(await at.agents.get(at.team, full.id)).toEqual(full);
});

test('an agent that could never start is refused', async () => {
  await using at = await setUp();
  await expect(at.agents.create(at.team, { ...input, harness: 'nope' })).rejects.toMatchObject({
    code: 'harness-unknown',
  });
  await expect(at.agents.create(at.team, { ...input, harness: 'codex' })).rejects.toMatchObject({
    code: 'model-required',
  });
  const codex = await at.agents.create(at.team, { ...input, harness: 'codex', model: 'gpt' });
  await expect(at.agents.patch(at.team, codex.id, 1, { model: null })).rejects.toMatchObject({
    code: 'model-required',
  });
});

test('a patch changes what it names, clears by null, and refuses an older version', async () => {
  await using at = await setUp();
  const made = await at.agents.create(at.team, { ...input, model: 'gpt', env: { A: '1' } });
  const patched = await at.agents.patch(at.team, made.id, 1, { name: 'Grace', model: null });
  expect(patched).toMatchObject({ name: 'Grace', env: { A: '1' }, version: 2 });
  expect(patched).not.toHaveProperty('model');
  expect(patched.updatedAt > made.updatedAt).toBe(true);
  expect(at.changed).toEqual([made.id]);
  await expect(at.agents.patch(at.team, made.id, 1, { name: 'late' })).rejects.toMatchObject({
    code: 'version-stale',
  });
  const both = await Promise.allSettled([
    at.agents.patch(at.team, made.id, 2, { name: 'a' }),
    at.agents.patch(at.team, made.id, 2, { name: 'b' }),
  ]);
  expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('pages are newest first and stable while agents are added', async () => {
  await using at = await setUp();
  const made = [];
  for (let n = 0; n < 5; n++) made.push((await at.agents.create(at.team, input)).id);
  const newest = made.toReversed();
  const first = await at.agents.list(at.team, { limit: 2 });
  await at.agents.create(at.team, input);
  const second = await at.agents.list(at.team, { limit: 2, cursor: first.nextCursor ?? '' });
  const third = await at.agents.list(at.team, { limit: 2, cursor: second.nextCursor ?? '' });
  const seen = [...first.items, ...second.items, ...third.items].map((agent) => agent.id);
  expect(seen).toEqual(newest);
  expect(third.nextCursor).toBeNull();
  await expect(at.agents.list(at.team, { limit: 2, cursor: 'x' })).rejects.toMatchObject({
    code: 'invalid-request',
  });
});

test('another team sees nothing and changes nothing', async () => {
  await using at = await setUp();
  const { id } = await at.agents.create(at.team, input);
  const foreign = { teamId: at.newId() };
  expect((await at.agents.list(foreign, { limit: 50 })).items).toEqual([]);
  for (const attempt of [
    () => at.agents.get(foreign, id),
    () => at.agents.patch(foreign, id, 1, { name: 'mine' }),
    () => at.agents.remove(foreign, id),
  ]) {
    await expect(attempt()).rejects.toMatchObject({ code: 'not-found' });
  }
  expect(await at.agents.get(at.team, id)).toMatchObject({ name: 'Ada', version: 1 });
});

test('an agent with sessions stays; without them it goes, and is unknown afterwards', async () => {
  await using at = await setUp();
  const { id } = await at.agents.create(at.team, input);
  const sessionId = at.newId();
  await at.db.pool.query(
    `insert into session (id, team_id, agent_id, title, driver, mode, created_by_id, created_by_name)
     values ($1, $2, $3, 't', 'local', 'ask', $1, 'Ada')`,
    [sessionId, at.team.teamId, id],
  );
  await expect(at.agents.remove(at.team, id)).rejects.toMatchObject({ code: 'agent-in-use' });
  await at.db.pool.query('update session set deleted_at = now() where id = $1', [sessionId]);
  await at.agents.remove(at.team, id);
  await expect(at.agents.get(at.team, id)).rejects.toMatchObject({ code: 'not-found' });
  await expect(at.agents.remove(at.team, id)).rejects.toMatchObject({ code: 'not-found' });
});

test('the rehearsal agent is made once, and stays deleted', async () => {
  await using at = await setUp();
  const made = await at.agents.ensureRehearsal(at.team.teamId);
  expect(made).toMatchObject({ name: 'Rehearsal', harness: 'rehearsal' });
  expect(await at.agents.ensureRehearsal(at.team.teamId)).toEqual(made);
  await at.agents.remove(at.team, made.id);
  await at.agents.ensureRehearsal(at.team.teamId);
  expect((await at.agents.list(at.team, { limit: 50 })).items).toEqual([]);
});
