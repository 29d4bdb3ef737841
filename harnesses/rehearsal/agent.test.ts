import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, makeHome, startAgent } from './testing/client.ts';

let built: Awaited<ReturnType<typeof bundle>>;
beforeAll(async () => {
  built = await bundle();
});
afterAll(async () => {
  await built[Symbol.asyncDispose]();
});
/** A zombie that nobody has reaped yet does nothing any more. */
const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');

test('initialize says what it can do', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  const answer = await agent.initialize();
  expect(answer.protocolVersion).toBe(1);
  expect(answer.agentCapabilities).toMatchObject({
    loadSession: true,
    sessionCapabilities: { resume: {}, list: {} },
  });
});

test('says, thinks, streams, shows an image and reports tokens', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  const end = await agent.prompt(
    id,
    '/think hm\n/say a\\nb\n\n# a comment\n/stream 3 1\n/image\n/usage 10 20',
  );
  expect(end).toMatchObject({
    stopReason: 'end_turn',
    usage: { inputTokens: 10, outputTokens: 20, totalTokens: 30 },
  });
  expect(agent.said()).toBe('a\nbw1 w2 w3');
  expect(agent.of('agent_thought_chunk').map((u) => u.content)).toEqual([
    { type: 'text', text: 'hm' },
  ]);
  const image = agent.of('agent_message_chunk').find((u) => u.content.type === 'image')?.content;
  expect(image).toMatchObject({ type: 'image', mimeType: 'image/png' });
  expect(agent.of('usage_update')).toMatchObject([
    { used: 30, _meta: { usage: { inputTokens: 10, outputTokens: 20 } } },
  ]);
  const ids = new Set(agent.of('agent_message_chunk').map((u) => u.messageId));
  expect(ids.size).toBe(3); // /say, /stream, /image
  expect(agent.of('available_commands_update')).toHaveLength(1);
});

test('writes in mode auto without a question, reads it back, runs a command', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  await agent.prompt(
    id,
    '/write sub/a.txt hello\n/read sub/a.txt\n/run echo out; echo err >&2; exit 3',
  );
  expect(agent.asked).toEqual([]);
  expect(await readFile(join(home.workspace, 'sub/a.txt'), 'utf8')).toBe('hello');
  const [write, read, run] = agent.of('tool_call');
  const ended = agent.of('tool_call_update').filter((u) => u.status !== 'in_progress');
  const path = join(home.workspace, 'sub/a.txt');
  expect(write).toMatchObject({ kind: 'edit', status: 'pending', locations: [{ path }] });
  expect(write?.content).toEqual([{ type: 'diff', path, oldText: null, newText: 'hello' }]);
  expect(ended.find((u) => u.toolCallId === read?.toolCallId)).toMatchObject({
    status: 'completed',
    content: [{ type: 'content', content: { type: 'text', text: 'hello' } }],
  });
  expect(ended.find((u) => u.toolCallId === run?.toolCallId)).toMatchObject({
    status: 'failed',
    rawOutput: { exitCode: 3 },
    content: [{ content: { text: 'out\nerr\n' } }],
  });
});

test('a file that is not there fails its call, not the turn', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  const end = await agent.prompt(id, '/read nothing.txt\n/say after');
  expect(end.stopReason).toBe('end_turn');
  expect(agent.of('tool_call_update').at(-1)).toMatchObject({ status: 'failed' });
  expect(agent.said()).toBe('after');
});

test('mode ask: allow writes, reject does not, always asks no more; set_mode ends the asking', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home, 'ask');
  await agent.initialize();
  const id = await agent.newSession();
  agent.answerWith(() => 'reject');
  await agent.prompt(id, '/write no.txt x');
  expect(existsSync(join(home.workspace, 'no.txt'))).toBe(false);
  expect(agent.asked[0]?.options.map((option) => option.kind)).toEqual([
    'allow_once',
    'allow_always',
    'reject_once',
  ]);
  agent.answerWith(() => 'allow');
  await agent.prompt(id, '/write yes.txt x\n/run true');
  expect(agent.asked).toHaveLength(3);
  agent.answerWith(() => 'always');
  await agent.prompt(id, '/write yes.txt y\n/write yes.txt z');
  expect(agent.asked).toHaveLength(4);
  await agent.setMode(id, 'auto');
  await agent.prompt(id, '/run true');
  expect(agent.asked).toHaveLength(4);
  await expect(agent.setMode(id, 'nonsense')).rejects.toThrow('ask and auto');
});

test('/ask says which option it got', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  agent.answerWith(
    ({ options }) => options.find((option) => option.name === 'Blue')?.optionId ?? null,
  );
  await agent.prompt(id, '/ask Which colour? | Red | Blue | No colour');
  expect(agent.said()).toBe('You chose: Blue');
  expect(agent.asked[0]).toMatchObject({
    toolCall: { title: 'Which colour?' },
    options: [{ kind: 'allow_once' }, { kind: 'allow_once' }, { kind: 'reject_once' }],
  });
});

test('a question that is taken back ends the turn as cancelled', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  agent.answerWith(() => null);
  expect((await agent.prompt(id, '/ask Well?\n/say never')).stopReason).toBe('cancelled');
  expect(agent.said()).toBe('');
});

test('a plan gets done as later lines run', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  await agent.prompt(id, '/plan a; b\n/say 1\n/say 2');
  expect(agent.of('plan').map((u) => u.entries.map((entry) => entry.status))).toEqual([
    ['in_progress', 'pending'],
    ['completed', 'in_progress'],
    ['completed', 'completed'],
  ]);
});

test.each([
  ['/hang', (said: string) => said === 'on'],
  ['/stream 100000 1', (said: string) => said.includes('w20 ')],
  ['/sleep 60000', (said: string) => said === 'on'],
])('cancel during %s: cancelled, and nothing after', async (line, reached) => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  const turn = agent.prompt(id, `/say on\n${line}\n/say never`);
  await agent.until(() => reached(agent.said()));
  await agent.cancel(id);
  expect((await turn).stopReason).toBe('cancelled');
  const count = agent.updates.length;
  expect((await agent.prompt(id, '/think next')).stopReason).toBe('end_turn');
  expect(agent.updates).toHaveLength(count + 1);
  expect(agent.said()).not.toContain('never');
});

test('cancel during a command ends its whole process group', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  const turn = agent.prompt(id, '/run sleep 300 & echo pid=$!; wait');
  const pidOf = () => /pid=(\d+)/.exec(JSON.stringify(agent.updates))?.[1];
  await agent.until(() => pidOf() !== undefined);
  const pid = Number(pidOf());
  expect(alive(pid)).toBe(true);
  await agent.cancel(id);
  expect((await turn).stopReason).toBe('cancelled');
  await expect.poll(() => alive(pid)).toBe(false);
});

test('cancel while it waits for a person', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home, 'ask');
  await agent.initialize();
  const id = await agent.newSession();
  agent.answerWith(() => new Promise(() => undefined));
  const turn = agent.prompt(id, '/write a.txt x');
  await agent.until(() => agent.asked.length === 1);
  await agent.cancel(id);
  expect((await turn).stopReason).toBe('cancelled');
  expect(existsSync(join(home.workspace, 'a.txt'))).toBe(false);
});

test('/fail ends the turn with an error, the conversation lives', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  await expect(agent.prompt(id, '/fail out of luck')).rejects.toMatchObject({
    code: -32603,
    message: 'out of luck',
  });
  expect((await agent.prompt(id, '/say fine')).stopReason).toBe('end_turn');
});

test('/exit dies at once with its code; plain words afterwards go on behind it', async () => {
  await using home = await makeHome();
  let id: string;
  {
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    id = await agent.newSession();
    const turn = agent.prompt(id, '/say before\n/exit 7\n/say after').catch(() => 'gone');
    expect((await agent.exited)[0]).toBe(7);
    expect(await turn).toBe('gone');
  }
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  await agent.load(id);
  expect(agent.said()).toBe('before');
  await agent.prompt(id, 'Please go on.');
  expect(agent.said()).toBe('beforeafter');
  await agent.prompt(id, '/diary');
  const diary = agent.said().slice('beforeafter'.length).split('\n');
  expect(diary.map((line) => (JSON.parse(line) as { text: string }).text)).toEqual([
    '/say before\n/exit 7\n/say after',
    'Please go on.',
    '/diary',
  ]);
});

test('told to go on after a death behind its last line: nothing is done again', async () => {
  await using home = await makeHome();
  let id: string;
  {
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    id = await agent.newSession();
    await agent.prompt(id, '/say all of it');
  }
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  await agent.load(id);
  await agent.prompt(id, 'You were interrupted: your process ended in the middle of the turn.');
  expect(agent.said()).toBe('all of itNothing was left to do.');
  expect(agent.of('tool_call')).toHaveLength(0);
});

test('kill -9 in mid-stream: load replays every prompt and what was said, and the diary spans both lives', async () => {
  await using home = await makeHome();
  const first = [
    { type: 'text' as const, text: '/say one\n' },
    { type: 'resource_link' as const, uri: 'file:///a.txt', name: 'a.txt' },
  ];
  let id: string;
  let pid: number | undefined;
  let streamed: string;
  {
    await using agent = startAgent(built.path, home);
    pid = agent.child.pid;
    await agent.initialize();
    id = await agent.newSession();
    await agent.prompt(id, first);
    await agent.prompt(id, '/write a.txt x');
    const turn = agent.prompt(id, '/stream 100000 1').catch(() => 'gone');
    await agent.until(() => agent.said().includes('w50 '));
    await agent.kill();
    expect(await turn).toBe('gone');
    streamed = agent.said();
  }
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  await agent.load(id);
  expect(agent.of('user_message_chunk').map((u) => u.content)).toEqual([
    ...first,
    { type: 'text', text: '/write a.txt x' },
    { type: 'text', text: '/stream 100000 1' },
  ]);
  expect(agent.said().startsWith(streamed)).toBe(true); // it may have said more than arrived
  expect(agent.of('agent_message_chunk')).toHaveLength(2); // whole, not piece by piece
  expect(agent.of('tool_call')).toMatchObject([{ title: 'Write a.txt', status: 'completed' }]);
  agent.updates.length = 0;
  await agent.prompt(id, '/diary');
  const diary = agent
    .said()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(diary.map((entry) => entry['n'])).toEqual([1, 2, 3, 4]);
  expect(diary.map((entry) => entry['pid'])).toEqual([pid, pid, pid, agent.child.pid]);
  expect(diary[1]).toEqual({
    n: 2,
    at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    pid,
    sha256: createHash('sha256').update('/write a.txt x').digest('hex'),
    text: '/write a.txt x',
  });
});

test('a torn last line is cut off, in the conversation and in the diary', async () => {
  await using home = await makeHome();
  let id: string;
  {
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    id = await agent.newSession();
    await agent.prompt(id, '/say one');
  }
  const dir = join(home.home, '.rehearsal');
  await appendFile(join(dir, 'diary.jsonl'), '{"n":2,"at":"2026-11');
  await appendFile(join(dir, 'conversations', `${id}.jsonl`), '{"t":"update","upd');
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  await agent.load(id);
  expect(agent.said()).toBe('one');
  agent.updates.length = 0;
  await agent.prompt(id, '/diary');
  expect(agent.said().split('\n')).toHaveLength(2);
});

test('a prompt that only the diary knows has arrived: killed between the two files', async () => {
  await using home = await makeHome();
  let id: string;
  {
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    id = await agent.newSession();
    await agent.prompt(id, '/say one');
  }
  const path = join(home.home, '.rehearsal', 'conversations', `${id}.jsonl`);
  const lines = (await readFile(path, 'utf8')).split('\n');
  await writeFile(path, `${lines.slice(0, 1).join('\n')}\n`);
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  await agent.load(id);
  expect(agent.of('user_message_chunk')).toMatchObject([{ content: { text: '/say one' } }]);
  expect(agent.said()).toBe('');
});

test('resume replays nothing, keeps the mode, and an unknown conversation is refused', async () => {
  await using home = await makeHome();
  let id: string;
  {
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    id = await agent.newSession();
    await agent.prompt(id, '/say one');
    await agent.setMode(id, 'ask');
  }
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const { modes } = await agent.resume(id);
  expect(modes?.currentModeId).toBe('ask');
  await agent.prompt(id, '/think x');
  expect(agent.of('user_message_chunk')).toEqual([]);
  expect(agent.said()).toBe('');
  await expect(agent.load('0000')).rejects.toMatchObject({ code: -32002 });
  await expect(agent.load('../../etc/passwd')).rejects.toMatchObject({ code: -32002 });
});

test('a start script runs when a conversation begins, not when it is loaded', async () => {
  await using home = await makeHome();
  await mkdir(join(home.home, '.rehearsal'), { recursive: true });
  await writeFile(join(home.home, '.rehearsal', 'start.txt'), '/say ready when you are');
  let id: string;
  {
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    id = await agent.newSession();
    await agent.until(() => agent.of('session_info_update').length === 1);
    expect(agent.said()).toBe('ready when you are');
  }
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  await agent.load(id);
  await agent.prompt(id, '/say x');
  expect(agent.said()).toBe('ready when you arex');
});

test('wrong use is told, not guessed', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  const id = await agent.newSession();
  await agent.prompt(id, '/sleep soon\n/dance');
  expect(agent.said()).toContain('`/sleep <ms>`');
  expect(agent.said()).toContain("I don't know `/dance`");
});

test('plain words get the tour in under five seconds', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home, 'ask');
  await agent.initialize();
  const id = await agent.newSession();
  const began = performance.now();
  await agent.prompt(id, 'hello\nthere');
  expect(performance.now() - began).toBeLessThan(5000);
  expect(agent.asked).toHaveLength(2);
  expect(existsSync(join(home.workspace, 'rehearsal.md'))).toBe(true);
  expect(
    agent
      .of('plan')
      .at(-1)
      ?.entries.every((entry) => entry.status === 'completed'),
  ).toBe(true);
  expect(agent.said()).toContain('/ask');
});

test('it ends when its standard input ends', async () => {
  await using home = await makeHome();
  await using agent = startAgent(built.path, home);
  await agent.initialize();
  agent.child.stdin.end();
  expect((await agent.exited)[0]).toBe(0);
});
