import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attachTerminal, codeOf } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { startBerth, until, type Berth } from './support/berth.ts';
import {
  autoAgent,
  follow,
  idle,
  rehearsal,
  replay,
  say,
  status,
  text,
  waiting,
} from './support/talk.ts';

let berth: Berth;
beforeAll(async () => {
  berth = await startBerth();
});
afterAll(async () => {
  await berth[Symbol.asyncDispose]();
});

test('a new session boots visibly and answers', async () => {
  const agent = await rehearsal(berth);
  const session = await berth.client.sessions.create({
    agentId: agent.id,
    prompt: text('/say hello there'),
  });
  expect(session.status).toBe('starting');
  const reader = follow(berth, session.id);
  await until(
    () =>
      reader.seen.some(
        (event) =>
          event.kind === 'message' && JSON.stringify(event.payload).includes('hello there'),
      ),
    20_000,
    'the answer',
  );
  const phases = reader.seen.flatMap((event) =>
    event.kind === 'sandbox.phase' ? [event.payload.phase] : [],
  );
  expect(phases).toEqual(
    expect.arrayContaining(['creating', 'starting', 'agent-starting', 'ready']),
  );
  await idle(berth, session.id);
  reader.close();
});

test('the tour shows everything, asks, and goes on when answered', async () => {
  const agent = await rehearsal(berth);
  const session = await berth.client.sessions.create({ agentId: agent.id });
  const turnId = randomUUID();
  await berth.client.turns.create(session.id, {
    id: turnId,
    prompt: text('Show me what you can do'),
  });
  const answered = new Set<string>();
  await until(
    async () => {
      for (const approval of (
        await berth.client.approvals.list({ state: 'waiting', sessionId: session.id })
      ).items) {
        // The question stands before anybody is told of it: the status follows.
        await until(
          async () => (await berth.client.sessions.get(session.id)).status === 'waiting',
          10_000,
          'a session that waits',
        );
        const allow =
          approval.options.find((option) => option.kind === 'allow_once') ?? approval.options[0];
        await berth.client.approvals.decide(approval.id, {
          optionId: allow?.optionId ?? '',
          revision: approval.revision,
        });
        answered.add(approval.id);
      }
      return (await berth.client.turns.get(session.id, turnId)).endedAt !== undefined;
    },
    60_000,
    'the end of the tour',
  );
  expect((await berth.client.turns.get(session.id, turnId)).state).toBe('done');
  expect(answered.size).toBeGreaterThan(0);
  const kinds = new Set((await replay(berth, session.id)).map((event) => event.kind));
  for (const kind of [
    'message',
    'thought',
    'plan',
    'tool',
    'approval.requested',
    'approval.resolved',
    'turn.ended',
    'message.user',
  ] as const)
    expect(kinds).toContain(kind);
});

test('live and replay are one log: same numbers, same bytes, no delta left behind its message', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  const reader = follow(berth, session.id);
  await say(berth, session.id, '/stream 200 1\n/think done\n/say end');
  const log = await replay(berth, session.id);
  const last = log.at(-1)?.seq ?? 0;
  await until(() => (reader.seqs.at(-1) ?? 0) >= last, 10_000, 'the reader at the end');
  expect(reader.seqs).toEqual([...reader.seqs].sort((a, b) => a - b));
  expect(new Set(reader.seqs).size).toBe(reader.seqs.length);
  const live = new Map(reader.seen.map((event) => [event.seq, event]));
  for (const event of log) expect(live.get(event.seq)).toEqual(event);
  expect(log.some((event) => event.kind === 'message.delta')).toBe(false);
  const message = log.find(
    (event) => event.kind === 'message' && JSON.stringify(event.payload).includes('w200'),
  );
  expect(JSON.stringify(message?.payload)).toContain('w1 w2 w3');
  reader.close();
});

test('an edit is a diff, a patch that git takes, and a file that can be read', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  const folder = await mkdtemp(join(tmpdir(), 'berth-folder-'));
  await writeFile(join(folder, 'README.md'), 'old\n');
  const archived = await berth.client.sessions.create({
    agentId: session.agentId,
    awaitArchive: true,
  });
  const tar = execFileSync('tar', ['-czf', '-', '-C', folder, '.']);
  await berth.client.files.archive(archived.id, tar);
  await say(
    berth,
    archived.id,
    '/write README.md new\n/write src/a.txt hello\n/run printf "more\\n" >> src/a.txt',
  );
  await until(
    async () => (await berth.client.changes.list(archived.id)).files.length === 2,
    10_000,
    'two changed files',
  );
  const patch = await berth.client.changes.patch(archived.id);
  execFileSync('git', ['init', '-q'], { cwd: folder });
  execFileSync('git', ['apply', '-'], { cwd: folder, input: await patch.bytes() });
  expect(await readFile(join(folder, 'README.md'), 'utf8')).toContain('new');
  expect(await readFile(join(folder, 'src/a.txt'), 'utf8')).toContain('more');
  await rm(folder, { recursive: true });
});

test('a refused tool does not run', async () => {
  const session = await berth.client.sessions.create({ agentId: (await rehearsal(berth)).id });
  const turnId = randomUUID();
  await berth.client.turns.create(session.id, {
    id: turnId,
    prompt: text('/run touch /workspace/ran'),
  });
  const approval = await waiting(berth, session.id);
  const deny = approval.options.find((option) => option.kind === 'reject_once');
  await berth.client.approvals.decide(approval.id, {
    optionId: deny?.optionId ?? '',
    revision: approval.revision,
  });
  await expect(
    berth.client.approvals.decide(approval.id, {
      optionId: deny?.optionId ?? '',
      revision: approval.revision,
    }),
  ).rejects.toMatchObject({ code: 'already-decided' });
  await idle(berth, session.id);
  expect((await berth.client.files.list(session.id)).items.map((item) => item.name)).not.toContain(
    'ran',
  );
});

test('a running turn is cancelled, the queue goes on', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  const hanging = randomUUID();
  await berth.client.turns.create(session.id, { id: hanging, prompt: text('/hang') });
  await status(berth, session.id, 'running');
  const queued = randomUUID();
  await berth.client.turns.create(session.id, { id: queued, prompt: text('/say after') });
  await berth.client.sessions.cancel(session.id);
  const after = await berth.client.turns.get(session.id, queued, { waitSeconds: 20 });
  expect(after).toMatchObject({ state: 'done', reply: 'after' });
  expect((await berth.client.turns.get(session.id, hanging)).state).toBe('cancelled');
});

test('a terminal shows the same screen to the next who attaches', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  const terminal = await berth.client.terminals.open(session.id, {
    kind: 'shell',
    cols: 80,
    rows: 24,
  });
  const attach = () =>
    attachTerminal({
      client: berth.client,
      connect: connectNode,
      terminalId: terminal.id,
      size: { cols: 80, rows: 24 },
    });
  let seen = '';
  const first = attach();
  first.onBytes((bytes) => {
    seen += Buffer.from(bytes).toString();
  });
  await until(
    () => first.write(Buffer.from('echo one-$((40+2)); pwd; tty\n')),
    10_000,
    'the first key',
  );
  await until(
    () => seen.includes('one-42') && seen.includes('/workspace') && seen.includes('/dev/pts/'),
    10_000,
    'the output',
  );
  first.close();
  let again = '';
  const second = attach();
  second.onScreen((screen) => {
    again += Buffer.from(screen.bytes).toString();
  });
  second.onBytes((bytes) => {
    again += Buffer.from(bytes).toString();
  });
  await until(() => again.includes('one-42'), 10_000, 'the same screen');
  second.write(Buffer.from('exit\n'));
  await new Promise<void>((done) => second.onExit(() => done()));
  await until(
    async () => (await berth.client.terminals.list(session.id))[0]?.state === 'closed',
    5_000,
    'the terminal closed',
  );
});

test('suspend keeps the disk, a message wakes it', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await say(berth, session.id, '/write note.txt kept');
  await berth.client.sessions.suspend(session.id);
  await status(berth, session.id, 'suspended');
  const turn = await say(berth, session.id, '/run cat note.txt\n/diary');
  expect(turn.state).toBe('done');
  expect(JSON.stringify(await replay(berth, session.id))).toContain('kept');
  expect(turn.reply?.match(/"n":/g)).toHaveLength(2); // both prompts, each delivered once
});

test('a removed session leaves nothing', async () => {
  const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  await berth.client.sessions.remove(session.id);
  await expect
    .poll(() => berth.client.sessions.get(session.id).then(() => 'there', codeOf), {
      timeout: 15_000,
    })
    .toBe('not-found');
});
