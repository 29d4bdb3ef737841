import { existsSync, globSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Gemini CLI, with its conversations kept. It names a conversation's file by the minute and the first eight characters of the id, and begins such a file also when it
 * opens an old conversation: within the same minute that is the conversation's own file, and all of it is lost. So before each start every conversation
 * gets a name that no minute has.
 *
 *   node start.ts <gemini.js> <arguments of Gemini CLI>
 *
 * Two of the arguments are Berth's: the value of `--approval-mode` is a mode of the harness record, and `--resume` of a conversation in which nothing was said,
 * which Gemini CLI refuses, becomes the beginning of one with that id.
 */
const kept = 'session-2000-01-01T00-00-';
const approvalModes: Record<string, string> = { ask: 'default', edits: 'auto_edit', auto: 'yolo' };

/** Pure: whether anything was said in a conversation's file. What stands there before is a message of the program itself. */
export function saysSomething(lines: string): boolean {
  return lines
    .split('\n')
    .some(
      (line) =>
        line.includes('"type":"gemini"') ||
        (line.includes('"type":"user"') && !line.includes('<session_context>')),
    );
}

/** Pure: the arguments as Gemini CLI has them. */
export function argumentsOf(
  given: readonly string[],
  begun: (sessionId: string) => boolean,
): string[] {
  return given.map((word, at) => {
    if (given[at - 1] === '--approval-mode') return approvalModes[word] ?? word;
    if (word === '--resume' && !begun(given[at + 1] ?? '')) return '--session-id';
    return word;
  });
}

const ending = (file: string): string => file.slice(file.lastIndexOf('-') + 1);
const filesOf = (home: string): string[] =>
  globSync('.gemini/tmp/*/chats/session-*.jsonl', { cwd: home }).map((file) => join(home, file));

/** Gives every conversation the name that stays. */
export function keepConversations(home: string): void {
  for (const file of filesOf(home)) {
    const stays = join(dirname(file), kept + ending(file));
    if (file === stays) continue;
    if (!existsSync(stays)) renameSync(file, stays);
    // Each opening of a conversation leaves an empty one with its id.
    else if (!saysSomething(readFileSync(file, 'utf8'))) rmSync(file);
  }
}

/** Whether anything was said; what is empty goes, because its id is wanted again. */
function begun(home: string, sessionId: string): boolean {
  const own = filesOf(home).filter((file) => ending(file) === `${sessionId.slice(0, 8)}.jsonl`);
  const found = own.some((file) => saysSomething(readFileSync(file, 'utf8')));
  if (!found) for (const file of own) rmSync(file);
  return found;
}

if (import.meta.main) {
  const home = process.env['HOME'] ?? '';
  const [program = '', ...given] = process.argv.slice(2);
  keepConversations(home);
  const wanted = argumentsOf(given, (id) => begun(home, id));
  process.argv = [process.execPath, program, ...wanted];
  await import(pathToFileURL(program).href);
}
