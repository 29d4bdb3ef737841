import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { argumentsOf, keepConversations, saysSomething } from './start.ts';

let home: string;
let chats: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-gemini-'));
  chats = join(home, '.gemini/tmp/workspace/chats');
  await mkdir(chats, { recursive: true });
});
afterEach(() => rm(home, { recursive: true, force: true }));

const id = '1234abcd-0000-4000-8000-000000000000';
const head = JSON.stringify({ sessionId: id, projectHash: 'x' });
const context = '{"id":"1","type":"user","content":[{"text":"<session_context>\\nToday"}]}';
const said = '{"id":"2","type":"user","content":[{"text":"hello"}]}';
const answered = '{"id":"3","type":"gemini","content":"hi"}';
const put = (name: string, ...lines: string[]): Promise<void> =>
  writeFile(join(chats, name), `${lines.join('\n')}\n`);
const kept = 'session-2000-01-01T00-00-1234abcd.jsonl';

test.each([
  [[head], false],
  [[head, context], false],
  [[head, `{"$set":{"messages":[${context}]}}`], false],
  [[head, context, said], true],
  [[head, answered], true],
])('%j says something: %s', (lines, something) => {
  expect(saysSomething(lines.join('\n'))).toBe(something);
});

test('a conversation gets the name that no minute has, and keeps it', async () => {
  await put('session-2026-11-22T22-50-1234abcd.jsonl', head, said, answered);
  keepConversations(home);
  keepConversations(home);
  expect(await readdir(chats)).toEqual([kept]);
  expect(await readFile(join(chats, kept), 'utf8')).toContain('hello');
});

test('what an opening leaves empty goes; anything else stays where it is', async () => {
  await put(kept, head, said, answered);
  await put('session-2026-11-22T22-51-1234abcd.jsonl', head, context);
  await put('session-2026-11-22T22-52-1234abcd.jsonl', head, answered);
  await put('session-2026-11-22T22-52-ffffffff.jsonl', head, said);
  keepConversations(home);
  expect(await readdir(chats)).toEqual([
    kept,
    'session-2000-01-01T00-00-ffffffff.jsonl',
    'session-2026-11-22T22-52-1234abcd.jsonl',
  ]);
});

test('a mode of Berth’s becomes one of Gemini CLI’s; nothing else is touched', () => {
  const given = ['--resume', id, '--model', 'auto', '--approval-mode', 'auto'];
  expect(argumentsOf(given, () => true)).toEqual([...given.slice(0, 5), 'yolo']);
});

/** Starts it as the record does, with a program that tells what it was given. */
async function start(...args: string[]): Promise<string[]> {
  const program = join(home, 'program.mjs');
  await writeFile(program, 'process.stdout.write(JSON.stringify(process.argv.slice(1)));');
  const out = execFileSync(
    process.execPath,
    [join(import.meta.dirname, 'start.ts'), program, ...args],
    { env: { HOME: home }, encoding: 'utf8' },
  );
  const [first, ...rest] = JSON.parse(out) as string[];
  expect(first).toBe(program);
  return rest;
}

test('the program runs as if it had been called alone', async () => {
  await put('session-2026-11-22T22-50-1234abcd.jsonl', head, said);
  expect(await start('--acp', '--model', 'm')).toEqual(['--acp', '--model', 'm']);
  expect(await readdir(chats)).toEqual([kept]);
});

test('a conversation is taken up again; one in which nothing was said begins with its id', async () => {
  await put('session-2026-11-22T22-50-1234abcd.jsonl', head, context, said);
  expect(await start('--resume', id)).toEqual(['--resume', id]);
  await put(kept, head, context);
  expect(await start('--resume', id)).toEqual(['--session-id', id]);
  expect(await readdir(chats)).toEqual([]);
});
