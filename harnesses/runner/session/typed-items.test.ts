import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionUpdate } from '@agentclientprotocol/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openJournal, type Journal } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import { Replay } from './replay.ts';
import { hashText } from './settle.ts';
import { createTranscript } from './transcript.ts';
import { takeTyped, typedItems } from './typed-items.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-typed-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const user = (text: string): SessionUpdate => ({
  sessionUpdate: 'user_message_chunk',
  content: { type: 'text', text },
});
const agent = (text: string, messageId?: string): SessionUpdate => ({
  sessionUpdate: 'agent_message_chunk',
  content: { type: 'text', text },
  ...(messageId === undefined ? {} : { messageId }),
});
const replayOf = (...updates: SessionUpdate[]): Replay => {
  const replay = new Replay();
  for (const update of updates) replay.take(update);
  return replay;
};
const counter = () => {
  let n = 0;
  return () => `id${String(n++)}`;
};

test('each message whole, with a turn of its own that nobody delivers, and each call once', () => {
  const replay = replayOf(
    user('given'),
    agent('answer'),
    user('typed\u0000'),
    agent('one ', 'm1'),
    agent('two', 'm1'),
    agent('three', 'm2'),
    { sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'hm' } },
    { sessionUpdate: 'tool_call', toolCallId: 'c', title: 'ls', kind: 'execute', rawInput: {} },
    { sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'completed', rawOutput: 'a' },
    { sessionUpdate: 'tool_call', toolCallId: 'd', title: 'sleep', status: 'in_progress' },
    agent('done'),
    agent('\n', 'm3'),
    user(''),
  );
  const items = typedItems(replay, { message: 1, chunk: 0 }, counter()) ?? [];
  const [first, second] = items.flatMap(({ kind, turnId }) =>
    kind === 'message.user' ? [turnId] : [],
  );
  expect(second).not.toBe(first);
  expect(items.map(({ kind, turnId }) => [kind, turnId])).toEqual([
    ['message.user', first],
    ['message', first],
    ['message', first],
    ['thought', first],
    ['tool', first],
    ['tool', first],
    ['message', first],
    ['message.user', second],
  ]);
  const words = (text: string) => [{ type: 'text', text }];
  expect(items.map(({ payload }) => payload)).toMatchObject([
    { turnId: first, content: words('typed\ufffd'), via: 'terminal' },
    { content: words('one two') },
    { content: words('three') },
    { content: words('hm') },
    { title: 'ls', kind: 'execute', status: 'completed', output: { text: 'a' } },
    { title: 'sleep', status: 'interrupted' },
    { content: words('done') },
    { turnId: second, content: words('[no text]') },
  ]);
  // Ids of an agent are not unique over its lives.
  expect(items.map(({ payload }) => payload['toolCallId'])).not.toContain('c');
  const ids = items.map(({ payload }) => payload['messageId'] ?? payload['toolCallId']);
  expect(new Set(ids).size).toBe(items.length);
});

test('too much is nothing', () => {
  const long = 'x'.repeat(limits.typedBytes / 8);
  const replay = replayOf(...Array.from({ length: 9 }, () => [user('a'), agent(long)]).flat());
  expect(typedItems(replay, { message: 0, chunk: 0 }, counter())).toBeNull();
  expect(typedItems(replay, { message: 5, chunk: 0 }, counter())).toHaveLength(8);
});

test('what the agent puts into its own history is no message, unless it was given those words', () => {
  const given = '[note] mine';
  const replay = new Replay('^\\[note\\]', [hashText(given)]);
  for (const update of [user('[note] its own'), user(given), agent('x'), user('[note] more')])
    replay.take(update);
  expect(replay.messages).toEqual([[given]]);
});

test('a crash at any byte: all of it is told once, or is still the agent’s to tell', async () => {
  const openAt = (): Promise<Journal> =>
    openJournal({ dir, newId: randomUUID, onChange: () => undefined });
  const transcript = createTranscript(join(dir, 'transcript'), () => undefined);
  const take = (journal: Journal): void =>
    takeTyped(journal, { put: (...items) => journal.put(...items) }, transcript);
  const replay = replayOf(user('given'), agent('x'), user('typed'), agent('y'), user('more'));
  const typed = typedItems(replay, { message: 1, chunk: 0 }, randomUUID) ?? [];
  const first = await openAt();
  const session = (holder: string) =>
    first.put({ kind: 'agent.session', payload: { agentSessionId: 's', holder } });
  session('chat');
  session('terminal');
  session('chat');
  await first.synced();
  const before = (await readFile(join(dir, '00000001.log'))).length;
  first.note({ kind: 'replayed', hashes: replay.hashes(), typed });
  take(first);
  await first[Symbol.asyncDispose]();
  const whole = await readFile(join(dir, '00000001.log'));
  expect(await readdir(dir)).toEqual(expect.arrayContaining(['00000001.log']));
  let seenHalf = 0;
  for (let cut = before; cut <= whole.length; cut += 3) {
    await rm(dir, { recursive: true });
    await mkdir(dir);
    await writeFile(join(dir, '00000001.log'), whole.subarray(0, cut));
    const journal = await openAt();
    const left = journal.ledger.typed?.length ?? 0;
    if (left > 0 && left < typed.length) seenHalf++;
    take(journal);
    await journal.synced();
    const told = (await journal.read(1)).filter(({ kind }) => kind.startsWith('message'));
    const ids = told.map(({ payload }) => payload['messageId']);
    if (journal.ledger.away === true) expect(told).toEqual([]);
    else expect(ids).toEqual(typed.map(({ payload }) => payload['messageId']));
    expect(journal.ledger.typed).toBeUndefined();
    await journal[Symbol.asyncDispose]();
  }
  expect(seenHalf).toBeGreaterThan(0);
}, 60_000);
