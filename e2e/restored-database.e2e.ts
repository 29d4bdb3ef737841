import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { endRunner, startBerth, type Berth } from './support/berth.ts';
import { ownAgent, runsBeside } from './support/own-agent.ts';
import { autoAgent, idle, replay, say, text } from './support/talk.ts';

/*
 * An older copy of the database is put back, and the journals of the runner are of today. What was said since then may be missing, but the session says so,
 * and goes on.
 */
const kinds = async (berth: Berth, id: string) => {
  const log = await replay(berth, id);
  return {
    said: log.flatMap((event) =>
      event.kind === 'message'
        ? event.payload.content.map((block) => ('text' in block ? block.text : ''))
        : [],
    ),
    notices: log.flatMap((event) => (event.kind === 'notice' ? [event.payload.code] : [])),
  };
};

test.each([
  ['the runner lives, and has it still on disk', 'lives'],
  ['the runner was stopped too', 'stopped'],
] as const)('%s', async (_name, runner) => {
  await using berth = await startBerth();
  const { id } = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, id);
  expect((await say(berth, id, '/say one')).reply).toBe('one');
  await berth.stop();
  const [database, copy] = [join(berth.dataDir, 'pg'), join(berth.dataDir, 'copy')];
  execFileSync('cp', ['-a', database, copy]); // with its owner

  await berth.start();
  await idle(berth, id);
  expect((await say(berth, id, '/say two')).reply).toBe('two');
  await berth.stop();
  if (runner === 'stopped') await endRunner(berth.dataDir);
  await rm(database, { recursive: true });
  await rename(copy, database);

  await berth.start();
  const before = berth.log().length;
  const turnId = randomUUID();
  await berth.client.turns.create(id, { id: turnId, prompt: text('/say three') });
  const turn = await berth.client.turns.get(id, turnId, { waitSeconds: 60 });
  expect(turn).toMatchObject({ state: 'done', reply: 'three' });
  const { said, notices } = await kinds(berth, id);
  expect(said).toEqual(['one', 'two', 'three']);
  if (runner === 'lives')
    expect(notices.filter((code) => code === 'log-restored')).toEqual(['log-restored']);
  // The link is not thrown away again and again.
  const lost =
    berth
      .log()
      .slice(before)
      .match(/items of a runner are missing/g) ?? [];
  expect(lost.length).toBeLessThan(3);
});

test('the runner lives, and has most of it no more', async () => {
  await using berth = await startBerth();
  const own = await ownAgent(berth);
  const script = join(import.meta.dirname, 'support', 'loud-agent.mjs');
  await own.beside('loud.mjs', await readFile(script));
  await own.install(runsBeside('loud.mjs'));
  const made = { name: 'loud', harness: 'opencode', model: 'any', mode: 'auto' } as const;
  const loud = await berth.client.agents.create(made);
  const { id } = await berth.client.sessions.create({ agentId: loud.id });
  const quiet = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, id);
  await idle(berth, quiet.id);
  expect((await say(berth, id, 'text 1 10')).state).toBe('done');
  await berth.stop();
  const [database, copy] = [join(berth.dataDir, 'pg'), join(berth.dataDir, 'copy')];
  execFileSync('cp', ['-a', database, copy]);

  await berth.start();
  await idle(berth, id);
  // Several segments of its journal: those that were acknowledged are deleted.
  expect((await say(berth, id, 'text 150 100000')).state).toBe('done');
  await berth.stop();
  await rm(database, { recursive: true });
  await rename(copy, database);

  await berth.start();
  const before = berth.log().length;
  for (const sessionId of [id, quiet.id]) {
    const words = sessionId === id ? 'text 1 20' : '/say on';
    const turnId = randomUUID();
    await berth.client.turns.create(sessionId, { id: turnId, prompt: text(words) });
    const turn = await berth.client.turns.get(sessionId, turnId, { waitSeconds: 60 });
    expect(turn.state).toBe('done');
  }
  const restored = async (of: string) =>
    (await kinds(berth, of)).notices.filter((code) => code === 'log-restored');
  expect(await restored(id)).toEqual(['log-restored']);
  expect(await restored(quiet.id)).toEqual([]);
  const since = berth.log().slice(before);
  expect(since).toContain('the database was rolled back too far');
  expect(since.match(/items of a runner are missing/g)).toBeNull();
  expect(since.match(/a runner connected/g)?.length ?? 0).toBeLessThan(3);

  // Once more: it is not found again.
  await berth.stop();
  await berth.start();
  await idle(berth, id);
  expect(await restored(id)).toEqual(['log-restored']);
});
