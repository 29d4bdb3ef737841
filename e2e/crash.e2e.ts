import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Event } from '@berth/contract';
import { runnerPid, startBerth, until, type Berth } from './support/berth.ts';
import {
  autoAgent,
  follow,
  idle,
  replay,
  say,
  status,
  text,
  waiting,
  rehearsal,
} from './support/talk.ts';

let berth: Berth;
beforeEach(async () => {
  berth = await startBerth();
});
afterEach(async () => {
  await berth[Symbol.asyncDispose]();
});

/** Numbers without a gap among those that a replay keeps, and none twice. */
function checkWhole(live: readonly number[], log: readonly Event[]): void {
  expect(new Set(live).size).toBe(live.length);
  expect([...live]).toEqual([...live].sort((a, b) => a - b));
  const seen = new Set(live);
  for (const event of log)
    expect(seen.has(event.seq), `event ${String(event.seq)} reached the reader`).toBe(true);
}
const words = (log: readonly Event[]): string =>
  log
    .map((event) =>
      event.kind === 'message'
        ? event.payload.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
        : '',
    )
    .join('\n');
/** As the control plane last said it. */
function postgresPid(): number {
  const found = [...berth.log().matchAll(/"pid":(\d+),[^\n]*"PostgreSQL is up"/g)].at(-1)?.[1];
  if (found === undefined) throw new Error('the log names no postmaster');
  return Number(found);
}
/** The first process inside of each sandbox: with it ends all of it. */
function sandboxPids(): number[] {
  const folder = join(berth.dataDir, 'sandboxes');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const record = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
        init?: { pid: number };
      };
      return record.init === undefined ? [] : [record.init.pid];
    });
}
const allWords = (count: number): string =>
  Array.from({ length: count }, (_, index) => `w${String(index + 1)}`).join(' ');

test('kill -9 of the control plane in mid-stream: not one event lost, none twice, the agent never noticed', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  const reader = follow(berth, session.id);
  const turnId = randomUUID();
  await berth.client.turns.create(session.id, {
    id: turnId,
    prompt: text('/stream 150 20\n/diary'),
  });
  await until(
    () => reader.seen.some((event) => event.kind === 'message.delta'),
    10_000,
    'the first words',
  );
  await berth.kill();
  await new Promise((done) => setTimeout(done, 700));
  await berth.start();
  const turn = await berth.client.turns.get(session.id, turnId, { waitSeconds: 60 });
  expect(turn.state).toBe('done');
  const log = await replay(berth, session.id);
  expect(words(log)).toContain(allWords(150));
  expect(turn.reply?.match(/"n":/g)).toHaveLength(1);
  expect(log.some((event) => event.kind === 'notice')).toBe(false);
  await until(
    () => (reader.seqs.at(-1) ?? 0) >= (log.at(-1)?.seq ?? 0),
    20_000,
    'the reader at the end',
  );
  checkWhole(reader.seqs, log);
  reader.close();
});

test('kill -9 of Postgres in mid-stream: it comes back by itself and the log is whole', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  const reader = follow(berth, session.id);
  const turnId = randomUUID();
  await berth.client.turns.create(session.id, { id: turnId, prompt: text('/stream 150 20') });
  await until(
    () => reader.seen.some((event) => event.kind === 'message.delta'),
    10_000,
    'the first words',
  );
  const postmaster = postgresPid();
  process.kill(postmaster, 'SIGKILL');
  await until(
    async () =>
      // With its reply: what is in the row is then in the log as well.
      (await berth.client.turns.get(session.id, turnId).catch(() => undefined))?.reply !==
      undefined,
    60_000,
    'the end of the turn',
  );
  const log = await replay(berth, session.id);
  expect(words(log)).toContain(allWords(150));
  await until(
    () => (reader.seqs.at(-1) ?? 0) >= (log.at(-1)?.seq ?? 0),
    20_000,
    'the reader at the end',
  );
  checkWhole(reader.seqs, log);
  reader.close();
});

test('kill -9 of the runner in mid-turn: the turn is settled by looking, delivered once', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  const turnId = randomUUID();
  const reader = follow(berth, session.id);
  await berth.client.turns.create(session.id, { id: turnId, prompt: text('/stream 100 20') });
  await until(
    () => reader.seen.some((event) => event.kind === 'message.delta'),
    10_000,
    'the first words',
  );
  const pid = await runnerPid(berth.dataDir);
  process.kill(pid ?? 0, 'SIGKILL');
  const turn = await berth.client.turns.get(session.id, turnId, { waitSeconds: 90 });
  expect(turn.endedAt).toBeDefined();
  expect(turn.state).toBe('done');
  const diary = (await say(berth, session.id, '/diary')).reply ?? '';
  expect(diary.match(/stream 100/g)).toHaveLength(1);
  const log = await replay(berth, session.id);
  expect(log.some((event) => event.kind === 'notice')).toBe(true);
  reader.close();
});

test('kill -9 of the agent in mid-turn: started again, the message delivered once, and it is said', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  const turn = await say(berth, session.id, '/say before\n/exit 9\n/say after', 90);
  expect(['done', 'failed']).toContain(turn.state);
  const diary = (await say(berth, session.id, '/diary')).reply ?? '';
  expect(diary.match(/say before/g)).toHaveLength(1);
  expect(
    (await replay(berth, session.id)).some(
      (event) => event.kind === 'notice' && event.payload.code === 'agent-restarted',
    ),
  ).toBe(true);
});

test('the sandbox is killed whole: it comes back with its files, and says what happened', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await say(berth, session.id, '/write kept.txt here');
  // From inside, PID 1's children can be killed by their own uid: agentd is the main process, and its end is the sandbox's.
  await berth.client.turns.create(session.id, {
    id: randomUUID(),
    prompt: text('/run kill -9 $(cat /proc/1/task/1/children)'),
  });
  await until(
    async () =>
      (await replay(berth, session.id)).some(
        (event) => event.kind === 'sandbox.phase' && event.payload.phase === 'lost',
      ),
    20_000,
    'phase lost',
  );
  await until(
    async () =>
      ['idle', 'failed', 'waiting'].includes((await berth.client.sessions.get(session.id)).status),
    60_000,
    'a session at rest',
  );
  const turn = await say(berth, session.id, '/run cat kept.txt', 60);
  expect(turn.state).toBe('done');
  expect(JSON.stringify(await replay(berth, session.id))).toContain('here');
});

test('an approval waits over a restart of the control plane and is answered once', async () => {
  const session = await berth.client.sessions.create({ agentId: (await rehearsal(berth)).id });
  const turnId = randomUUID();
  await berth.client.turns.create(session.id, {
    id: turnId,
    prompt: text('/ask Which? | red | green'),
  });
  const approval = await waiting(berth, session.id);
  await berth.kill();
  await berth.start();
  await status(berth, session.id, 'waiting');
  const green = approval.options.find((option) => option.name === 'green');
  await berth.client.approvals.decide(approval.id, {
    optionId: green?.optionId ?? '',
    revision: approval.revision,
  });
  const turn = await berth.client.turns.get(session.id, turnId, { waitSeconds: 30 });
  expect(turn).toMatchObject({ state: 'done' });
  expect(turn.reply).toContain('green');
});

test('all at once: sandboxes, runner, Postgres and control plane killed in mid-turn, as in a power cut', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await say(berth, session.id, '/say remembered');
  const turnId = randomUUID();
  await berth.client.turns.create(session.id, {
    id: turnId,
    prompt: text('/stream 400 25\n/diary'),
  });
  await until(
    async () =>
      (await replay(berth, session.id)).some(
        (event) => event.turnId === turnId && event.kind === 'message.delta',
      ),
    20_000,
    'words',
  );
  const before = (await replay(berth, session.id)).filter(
    (event) => event.kind !== 'message.delta',
  );
  const runner = await runnerPid(berth.dataDir);
  const postmaster = postgresPid();
  process.kill(postmaster, 'SIGKILL');
  process.kill(runner ?? 0, 'SIGKILL');
  for (const pid of sandboxPids()) process.kill(pid, 'SIGKILL');
  await berth.kill();
  await berth.start();
  const signal = AbortSignal.timeout(120_000);
  const turn = await berth.client.turns.get(session.id, turnId, { waitSeconds: 100, signal });
  expect(turn.state).toBe('done');
  const after = (await replay(berth, session.id)).filter((event) => event.kind !== 'message.delta');
  expect(after.slice(0, before.length)).toEqual(before);
  // The agent's own diary has the message once.
  expect((turn.reply ?? '').split('/stream 400 25').length).toBe(2);
  expect((await say(berth, session.id, '/say again', 90)).reply).toBe('again');
});
