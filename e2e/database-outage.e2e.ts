import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { attachTerminal } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { openDatabase } from './chaos/database.ts';
import { runnerPid, startBerth, until } from './support/berth.ts';
import { watchMemory } from './support/memory.ts';
import { ownAgent, runsBeside } from './support/own-agent.ts';
import { autoAgent, follow, idle, replay, say, text } from './support/talk.ts';

/** Longer than it takes until viewers are told; BERTH_OUTAGE_SECONDS=60 is the minute of the promise. */
const seconds = Number(process.env['BERTH_OUTAGE_SECONDS'] ?? '30');
/** What an agent has to say in that time, far more than any queue takes. */
const loudMb = 90;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('PostgreSQL cannot be reached: queues are bounded, viewers are told, nothing is acknowledged that is not stored, and then all of it comes once', async () => {
  await using scope = new AsyncDisposableStack();
  const database = scope.use(await openDatabase());
  const berth = scope.use(await startBerth({ env: { DATABASE_URL: database.url('first') } }));
  const own = await ownAgent(berth);
  const loudScript = join(import.meta.dirname, 'support', 'loud-agent.mjs');
  await own.beside('loud.mjs', await readFile(loudScript));
  await own.install(runsBeside('loud.mjs'));
  const loudAgent = await berth.client.agents.create({
    name: 'loud',
    harness: 'opencode',
    model: 'any',
    mode: 'auto',
  });
  const made = async (agentId: string) => {
    const { id } = await berth.client.sessions.create({ agentId });
    return (await idle(berth, id)).id;
  };
  const quiet = await made((await autoAgent(berth)).id);
  const loud = await made(loudAgent.id);
  await say(berth, loud, 'text 20 1000000');

  const viewer = follow(berth, quiet);
  scope.defer(() => viewer.close());
  const states: string[] = [];
  viewer.channels.onState((state) => states.push(state.kind));
  const size = { cols: 80, rows: 24 };
  const { id: terminalId } = await berth.client.terminals.open(quiet, { kind: 'shell', ...size });
  const terminal = attachTerminal({
    client: berth.client,
    connect: connectNode,
    terminalId,
    size,
  });
  scope.defer(() => terminal.close());
  let shown = '';
  terminal.onBytes((bytes) => (shown += Buffer.from(bytes).toString('latin1')));
  await until(() => terminal.write(Buffer.from('echo be""fore\n')), 10_000, 'a terminal');
  await until(() => shown.includes('before'), 10_000, 'the terminal before');

  const memory = await watchMemory({
    'control plane': berth.pid,
    runner: (await runnerPid(berth.dataDir)) ?? 0,
  });
  scope.defer(() => memory.stop());
  const words = (seconds + 5) * 50;
  const turnId = randomUUID();
  await berth.client.turns.create(quiet, {
    id: turnId,
    prompt: text(`/stream ${String(words)} 20`),
  });
  const loudTurn = randomUUID();
  await until(
    () => viewer.seen.some(({ kind }) => kind === 'message.delta'),
    20_000,
    'first words',
  );
  await berth.client.turns.create(loud, {
    id: loudTurn,
    prompt: text(`text ${String(loudMb)} 1000000`),
  });

  const restore = database.wires.first.refuse();
  const began = performance.now();
  await pause(1000);
  const heardBefore = viewer.seqs.length;
  // A message now: it is said to be stored, or it is refused in words.
  const kept: string[] = [];
  const refused: string[] = [];
  while (performance.now() - began < seconds * 1000 - 8_000) {
    const id = randomUUID();
    await berth.client.turns
      .create(
        quiet,
        { id, prompt: text(`/say ${id}`) },
        { signal: AbortSignal.timeout((seconds + 60) * 1000) },
      )
      .then(
        () => kept.push(id),
        (error: unknown) => refused.push(String((error as { code?: unknown }).code)),
      );
  }
  for (const code of refused) expect(code).toBe('not-ready');
  console.info({ kept: kept.length, refused, states, grown: memory.grown });
  const told = states.findIndex((state) => state === 'awaiting-retry');
  expect(told, states.join()).toBeGreaterThan(-1);
  // What needs no database goes on.
  terminal.write(Buffer.from('echo mean""while\n'));
  await until(() => shown.includes('meanwhile'), 5_000, 'the terminal meanwhile');
  await pause(Math.max(0, seconds * 1000 - (performance.now() - began)));
  expect(viewer.seqs.length - heardBefore).toBeLessThan(words / 2);

  restore();
  const from = performance.now();
  await until(
    () => viewer.seen.some(({ kind, turnId: of }) => kind === 'turn.ended' && of === turnId),
    120_000,
    'the end of the turn, as a viewer sees it',
  );
  console.info('seen after', Math.round(performance.now() - from), 'ms');
  const turn = await berth.client.turns.get(quiet, turnId, { waitSeconds: 60 });
  const all = Array.from({ length: words }, (_none, at) => `w${String(at + 1)}`).join(' ');
  expect(turn.reply).toBe(all);
  for (const id of kept)
    expect((await berth.client.turns.get(quiet, id, { waitSeconds: 60 })).reply).toBe(id);
  const log = await replay(berth, quiet);
  expect(log.filter(({ kind }) => kind === 'message.user').length).toBe(1 + kept.length);
  // Each once, in order, without a gap: what is left out is what a text superseded.
  await until(() => viewer.seqs.at(-1) === log.at(-1)?.seq, 30_000, 'the viewer has the end');
  expect(viewer.seqs).toEqual([...new Set(viewer.seqs)].toSorted((a, b) => a - b));
  const ended = await berth.client.turns.get(loud, loudTurn, { waitSeconds: 240 });
  expect(ended.reply?.endsWith('the end')).toBe(true);
  const said = (await replay(berth, loud))
    .flatMap((event) =>
      event.kind === 'message' && event.turnId === loudTurn ? event.payload.content : [],
    )
    .map((block) => ('text' in block ? block.text : ''))
    .join('');
  const once = Array.from(
    { length: loudMb },
    (_none, n) => `${String(n)} ${'word '.repeat(200_000)}`,
  );
  expect(said === `${once.join('')}the end`, 'all that it said, once, in its order').toBe(true);
  console.info(memory.grown);
  for (const { most } of Object.values(memory.grown)) expect(most).toBeLessThan(1000);
});
