/**
 * The language of the rehearsal agent: a prompt is a script, one command a line. Pure: text in, commands out. Wrong use is a command
 * too (`wrong`), because the person who typed it should read what is wrong in the chat, where they look.
 */
export type Command =
  | { kind: 'say' | 'think'; text: string }
  | { kind: 'type'; text: string; everyMs: number }
  | { kind: 'stream'; count: number; everyMs: number }
  | { kind: 'plan'; entries: string[] }
  | { kind: 'write'; path: string; text: string }
  | { kind: 'read'; path: string }
  | { kind: 'run'; command: string }
  | { kind: 'ask'; question: string; options: string[] }
  | { kind: 'image' }
  | { kind: 'usage'; input: number; output: number }
  | { kind: 'sleep'; ms: number }
  | { kind: 'hang' }
  | { kind: 'fail'; text: string }
  | { kind: 'exit'; code: number }
  | { kind: 'diary' }
  | { kind: 'tour' }
  | { kind: 'wrong'; text: string };

interface Usage {
  name: string;
  hint: string;
  description: string;
  parse: (rest: string) => Command | null;
}

export const limits = {
  words: 1_000_000,
  waitMs: 3_600_000,
  planEntries: 50,
  options: 10,
} as const;

function whole(text: string | undefined, max: number): number | null {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}
const parts = (text: string, separator: string): string[] =>
  text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
const words = (text: string): string[] => parts(text, ' ');

/** `\n` in a script's text is a line break, so that one line can write a file of several. */
const unescape = (text: string): string =>
  text.replace(/\\(n|t|\\)/g, (_whole, sign: string) =>
    sign === 'n' ? '\n' : sign === 't' ? '\t' : '\\',
  );

const texted = (kind: 'say' | 'think') => (rest: string) =>
  rest === '' ? null : ({ kind, text: unescape(rest) } as const);

function stream(rest: string): Command | null {
  const [count, every, ...more] = words(rest);
  const n = whole(count, limits.words);
  const ms = every === undefined ? 20 : whole(every, limits.waitMs);
  return n === null || n < 1 || ms === null || more.length > 0
    ? null
    : { kind: 'stream', count: n, everyMs: ms };
}

function plan(rest: string): Command | null {
  const entries = parts(rest, ';');
  return entries.length === 0 || entries.length > limits.planEntries
    ? null
    : { kind: 'plan', entries };
}

function write(rest: string): Command | null {
  const [, path, text] = /^(\S+)(?: (.*))?$/s.exec(rest) ?? [];
  return path === undefined ? null : { kind: 'write', path, text: unescape(text ?? '') };
}

function ask(rest: string): Command | null {
  const [question, ...options] = parts(rest, '|');
  if (question === undefined || options.length === 1 || options.length > limits.options)
    return null;
  return { kind: 'ask', question, options: options.length === 0 ? ['Yes', 'No'] : options };
}

function usage(rest: string): Command | null {
  const [first, second, ...more] = words(rest);
  const input = whole(first, 999_999_999);
  const output = whole(second, 999_999_999);
  return input === null || output === null || more.length > 0
    ? null
    : { kind: 'usage', input, output };
}

function sleep(rest: string): Command | null {
  const ms = whole(rest, limits.waitMs);
  return ms === null ? null : { kind: 'sleep', ms };
}

function exit(rest: string): Command | null {
  const code = rest === '' ? 0 : whole(rest, 255);
  return code === null ? null : { kind: 'exit', code };
}

const bare = (kind: 'image' | 'hang' | 'diary' | 'tour') => (rest: string) =>
  rest === '' ? ({ kind } as const) : null;

/** Every command, in the order in which they are shown to people. */
export const usages: readonly Usage[] = [
  { name: 'say', hint: '<text>', description: 'One message', parse: texted('say') },
  { name: 'think', hint: '<text>', description: 'One thought', parse: texted('think') },
  { name: 'stream', hint: '<n> [<ms>]', description: 'The words w1 … wn', parse: stream },
  { name: 'plan', hint: 'a; b; c', description: 'A plan, done as later lines run', parse: plan },
  { name: 'write', hint: '<path> <text>', description: 'Writes a file', parse: write },
  {
    name: 'read',
    hint: '<path>',
    description: 'Reads a file',
    parse: (rest) => (rest === '' ? null : { kind: 'read', path: rest }),
  },
  {
    name: 'run',
    hint: '<command>',
    description: 'Runs a shell command in the sandbox',
    parse: (rest) => (rest === '' ? null : { kind: 'run', command: rest }),
  },
  { name: 'ask', hint: '<question> | <option> | <option>', description: 'Asks you', parse: ask },
  { name: 'image', hint: '', description: 'An image', parse: bare('image') },
  { name: 'usage', hint: '<in> <out>', description: 'Reports tokens', parse: usage },
  { name: 'sleep', hint: '<ms>', description: 'Waits', parse: sleep },
  { name: 'hang', hint: '', description: 'Waits until cancelled', parse: bare('hang') },
  {
    name: 'fail',
    hint: '<text>',
    description: 'Ends the turn with an error',
    parse: (rest) => ({ kind: 'fail', text: rest === '' ? 'failed as asked' : rest }),
  },
  { name: 'exit', hint: '<code>', description: 'The process dies at once', parse: exit },
  { name: 'diary', hint: '', description: 'Every prompt received so far', parse: bare('diary') },
  { name: 'tour', hint: '', description: 'A short tour of all this', parse: bare('tour') },
];

export function parseLine(line: string): Command {
  const [, name, rest] = /^\/([a-z]*)(?:\s+(.*))?$/is.exec(line) ?? [];
  const known = usages.find((usage) => usage.name === name?.toLowerCase());
  if (known === undefined) {
    const typed = line.split(/\s/, 1)[0] ?? line;
    return {
      kind: 'wrong',
      text: `I don't know \`${typed}\`. I know ${usages.map((usage) => `\`/${usage.name}\``).join(', ')}.`,
    };
  }
  return (
    known.parse((rest ?? '').trim()) ?? {
      kind: 'wrong',
      text: `That is not how \`/${known.name}\` works. Write \`${`/${known.name} ${known.hint}`.trim()}\`.`,
    }
  );
}

/**
 * Lines that begin with `/` are commands; empty lines and `#` comments are nothing. Any other line asks for the tour, which is
 * given once, at the place of the first such line.
 */
export function parseScript(text: string): Command[] {
  const commands: Command[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('/')) commands.push(parseLine(line));
    else if (!commands.some((command) => command.kind === 'tour')) commands.push({ kind: 'tour' });
  }
  return commands.length === 0 && text.trim() === '' ? [{ kind: 'tour' }] : commands;
}

/** A prompt in plain words: nothing in it is a command. */
export const isPlain = (commands: readonly Command[]): boolean =>
  commands.every((command) => command.kind === 'tour');
