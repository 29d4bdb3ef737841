/**
 * What a model without a mind answers: the last user message tells it what to do.
 *
 *   SHELL <command>        one call of the agent's shell tool, then "Done: <output>"
 *   WRITE <path> <text>    one call of the agent's write tool (or its shell), then "Done: …"
 *   STREAM <n> [<ms>]      the words w1 … wn
 *   THINK <text>           a thought, where the protocol has them, then "I thought."
 *   HANG                   a first word, then nothing
 *   RECALL                 every user message that it was sent
 *   LOOK                   "I see <n> images": those of this message
 *   anything else          "You said: …"
 *
 * A request without tools asks for a title and gets one.
 */
export type Answer =
  | { kind: 'text'; words: string[]; everyMs: number; hang: boolean; thought?: string }
  | { kind: 'tool'; name: string; args: Record<string, unknown> };

export interface Message {
  role: 'user' | 'tool' | 'other';
  text: string;
  images?: number;
}
/** A request, whatever protocol it came by. */
export interface Asked {
  messages: Message[];
  tools: string[];
  /** The answer must be JSON. */
  json?: boolean;
}

export type Json = Record<string, unknown>;
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null;
export const list = (value: unknown): Json[] =>
  Array.isArray(value) ? value.filter(isObject) : [];
export const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  return list(content)
    .map((part) => (typeof part['text'] === 'string' ? part['text'] : ''))
    .join('\n');
};
export const imagesOf = (content: unknown, type: string): number =>
  list(content).filter((part) => part['type'] === type).length;

const shells: Record<string, (command: string) => Json> = {
  exec_command: (cmd) => ({ cmd }),
  bash: (command) => ({ command, description: 'as the test asked' }),
  Bash: (command) => ({ command, description: 'as the test asked' }),
  run_shell_command: (command) => ({ command }),
};
const writers: Record<string, (path: string, content: string) => Json> = {
  write: (filePath, content) => ({ filePath, content }),
  Write: (file_path, content) => ({ file_path, content }),
  write_file: (file_path, content) => ({ file_path, content }),
};

/** Codex without an inner sandbox runs a command only after asking, and asks only when the model wants it to. */
const restricted = (messages: readonly Message[]): boolean =>
  messages
    .flatMap((message) => message.text.match(/permission_profile type="\w+"/g) ?? [])
    .at(-1)
    ?.includes('managed') ?? false;
const escalated = { sandbox_permissions: 'require_escalated', justification: 'as the test asked' };

function callShell({ tools, messages }: Asked, command: string): Answer {
  const name = tools.find((tool) => Object.hasOwn(shells, tool));
  const args = name === undefined ? undefined : shells[name]?.(command);
  if (name === undefined || args === undefined)
    return text(`I have no shell among: ${tools.join(', ')}`);
  const asking = name === 'exec_command' && restricted(messages) ? escalated : {};
  return { kind: 'tool', name, args: { ...args, ...asking } };
}
function callWrite(asked: Asked, path: string, content: string): Answer {
  const name = asked.tools.find((tool) => Object.hasOwn(writers, tool));
  const args = name === undefined ? undefined : writers[name]?.(path, content);
  return name === undefined || args === undefined
    ? callShell(asked, `printf %s '${content}' > '${path}'`)
    : { kind: 'tool', name, args };
}
const text = (whole: string, everyMs = 0, hang = false): Answer => ({
  kind: 'text',
  words: whole.match(/\s*\S+/g) ?? [''],
  everyMs,
  hang,
});

/** Pure: what to answer. */
export function decide(asked: Asked): Answer {
  const { messages, tools } = asked;
  if (tools.length === 0) return text(asked.json === true ? '{"title":"A title"}' : 'A title');
  const lastUser = messages.findLastIndex((message) => message.role === 'user');
  const result = messages.slice(lastUser + 1).find((message) => message.role === 'tool');
  if (result !== undefined) return text(`Done: ${result.text}`);
  const prompt = messages[lastUser]?.text ?? '';
  const [, verb, rest = ''] =
    /^\s*(SHELL|WRITE|STREAM|THINK|HANG|RECALL|LOOK)\b[ \t]*(.*)$/m.exec(prompt) ?? [];
  const [first = '', ...more] = rest.split(' ');
  switch (verb) {
    case 'SHELL':
      return callShell(asked, rest);
    case 'WRITE':
      return callWrite(asked, first, more.join(' '));
    case 'STREAM':
      return text(
        Array.from({ length: Number(first) }, (_, n) => `w${n + 1}`).join(' '),
        Number(more[0] ?? 5),
      );
    case 'THINK':
      return { kind: 'text', words: ['I', ' thought.'], everyMs: 0, hang: false, thought: rest };
    case 'HANG':
      return text('holding', 0, true);
    case 'RECALL':
      return text(
        messages
          .filter((message) => message.role === 'user')
          .map((message) => message.text)
          .join(' ¦ '),
      );
    case 'LOOK':
      return text(`I see ${messages[lastUser]?.images ?? 0} images`);
    default:
      return text(`You said: ${prompt}`);
  }
}
