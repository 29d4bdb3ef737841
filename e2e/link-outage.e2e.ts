import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openNetwork } from './chaos/network.ts';
import { createWorld } from './chaos/world.ts';
import { startBerth, until } from './support/berth.ts';
import { autoAgent, follow, idle, replay, text } from './support/talk.ts';

const words = 5000;

/** As after ten minutes without a network: the agent works on, and everything that it says waits in the journal. */
test('the link is away while the agent says 5,000 things: all of them come when it is back', async () => {
  await using scope = new AsyncDisposableStack();
  const berth = scope.use(await startBerth());
  const network = scope.use(
    await openNetwork({
      stateDir: join(berth.dataDir, 'runner'),
      behind: [{ url: berth.url, away: false }],
    }),
  );
  // The runner dialled before there was a wire: it comes back over it.
  await berth.stop();
  await berth.start();
  const world = createWorld(berth);
  const { id } = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, id);
  const viewer = follow(berth, id);
  scope.defer(() => viewer.close());
  const turnId = randomUUID();
  const script = [`/say before`, `/sleep 500`, `/stream ${words} 0`, `/run touch said`].join('\n');
  await berth.client.turns.create(id, { id: turnId, prompt: text(script) });
  await until(() => viewer.seen.some(({ kind }) => kind === 'message'), 20_000, 'the first words');
  const restores = network.links.map((link) => link.refuse());
  const workspace = join(world.box(id)?.folder ?? '', 'w');
  await until(() => existsSync(join(workspace, 'said')), 60_000, 'the end of what it says');
  const heard = viewer.seen.filter(({ kind }) => kind === 'message.delta').length;
  expect(heard, 'the link was away').toBeLessThan(10);

  const before = performance.now();
  for (const restore of restores) restore();
  await until(
    () => viewer.seen.some(({ kind }) => kind === 'turn.ended'),
    60_000,
    'the end of the turn',
  );
  const ms = Math.round(performance.now() - before);
  console.error(`link-outage: ${words} events behind, caught up in ${ms} ms`);
  const turn = await berth.client.turns.get(id, turnId);
  const said = Array.from({ length: words }, (_none, at) => `w${at + 1}`).join(' ');
  expect(turn.reply).toBe(`before\n\n${said}`);
  const log = await replay(berth, id);
  expect(viewer.seqs).toEqual([...new Set(viewer.seqs)]);
  expect(log.filter(({ kind }) => kind === 'message')).toHaveLength(2);
  const taken = await world.sql(async (sql) => {
    const { rows } = await sql.query<{ n: number }>(
      'select last_source_seq::int as n from session_head where session_id = $1',
      [id],
    );
    return rows[0]?.n ?? 0;
  });
  expect(taken).toBeGreaterThan(words);
});
