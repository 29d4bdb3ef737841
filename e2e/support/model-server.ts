import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * A model without a mind, for tests: it speaks chat/completions and responses with the fewest events that the real agents need, and the
 * last user message tells it what to do:
 *
 *   SHELL <command>        one call of the agent's shell tool, then "Done: <output>"
 *   WRITE <path> <text>    one call of the agent's write tool (or its shell), then "Done: …"
 *   STREAM <n> [<ms>]      the words w1 … wn
 *   HANG                   a first word, then nothing
 *   RECALL                 every user message that it was sent
 *   anything else          "You said: …"
 *
 * A request without tools asks for a title and gets one. A model named `fault-<status>` answers that status.
 */
export interface ModelRequest {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}
export interface ModelServer {
  /** Base without a path: `http://127.0.0.1:<port>`. */
  url: string;
  requests: ModelRequest[];
  [Symbol.asyncDispose](): Promise<void>;
}

type Answer =
  | { kind: 'text'; words: string[]; everyMs: number; hang: boolean }
  | { kind: 'tool'; name: string; args: Record<string, unknown> };

interface Message {
  role: 'user' | 'tool' | 'other';
  text: string;
}
interface Asked {
  messages: Message[];
  tools: string[];
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  return list(content)
    .map((part) => (typeof part['text'] === 'string' ? part['text'] : ''))
    .join('\n');
};

function readChat(body: Json): Asked {
  return {
    messages: list(body['messages']).map((message) => ({
      role: message['role'] === 'user' ? 'user' : message['role'] === 'tool' ? 'tool' : 'other',
      text: textOf(message['content']),
    })),
    tools: list(body['tools']).map((tool) =>
      isObject(tool['function']) ? String(tool['function']['name']) : '',
    ),
  };
}
function readResponses(body: Json): Asked {
  return {
    messages: list(body['input']).map((item) => {
      if (item['type'] === 'function_call_output')
        return { role: 'tool', text: textOf(item['output']) };
      return { role: item['role'] === 'user' ? 'user' : 'other', text: textOf(item['content']) };
    }),
    tools: list(body['tools']).map((tool) => String(tool['name'])),
  };
}

const shells: Record<string, (command: string) => Json> = {
  exec_command: (cmd) => ({ cmd }),
  bash: (command) => ({ command, description: 'as the test asked' }),
  Bash: (command) => ({ command, description: 'as the test asked' }),
  run_shell_command: (command) => ({ command }),
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
const text = (whole: string, everyMs = 0, hang = false): Answer => ({
  kind: 'text',
  words: whole.match(/\s*\S+/g) ?? [''],
  everyMs,
  hang,
});

/** Pure: what to answer. */
export function decide(asked: Asked): Answer {
  const { messages, tools } = asked;
  if (tools.length === 0) return text('A title');
  const lastUser = messages.findLastIndex((message) => message.role === 'user');
  const result = messages.slice(lastUser + 1).find((message) => message.role === 'tool');
  if (result !== undefined) return text(`Done: ${result.text}`);
  const prompt = messages[lastUser]?.text ?? '';
  const [, verb, rest = ''] =
    /^\s*(SHELL|WRITE|STREAM|HANG|RECALL)\b[ \t]*(.*)$/m.exec(prompt) ?? [];
  const [first = '', ...more] = rest.split(' ');
  switch (verb) {
    case 'SHELL':
      return callShell(asked, rest);
    case 'WRITE':
      return tools.includes('write')
        ? { kind: 'tool', name: 'write', args: { filePath: first, content: more.join(' ') } }
        : callShell(asked, `printf %s '${more.join(' ')}' > '${first}'`);
    case 'STREAM':
      return text(
        Array.from({ length: Number(first) }, (_, n) => `w${n + 1}`).join(' '),
        Number(more[0] ?? 5),
      );
    case 'HANG':
      return text('holding', 0, true);
    case 'RECALL':
      return text(
        messages
          .filter((message) => message.role === 'user')
          .map((message) => message.text)
          .join(' ¦ '),
      );
    default:
      return text(`You said: ${prompt}`);
  }
}

type Send = (data: unknown) => void;
let calls = 0;

async function answerChat(answer: Answer, send: Send, gone: AbortSignal): Promise<void> {
  const choose = (delta: Json, finish: string | null = null): void =>
    send({
      id: 'chat-1',
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
  choose({ role: 'assistant' });
  if (answer.kind === 'tool') {
    const id = `call_${++calls}`;
    const called = { name: answer.name, arguments: '' };
    choose({ tool_calls: [{ index: 0, id, type: 'function', function: called }] });
    choose({ tool_calls: [{ index: 0, function: { arguments: JSON.stringify(answer.args) } }] });
    choose({}, 'tool_calls');
  } else {
    for (const word of answer.words) {
      choose({ content: word });
      if (answer.everyMs > 0) await pause(answer.everyMs, undefined, { signal: gone });
    }
    if (answer.hang) await pause(2 ** 31 - 1, undefined, { signal: gone });
    choose({}, 'stop');
  }
  send({
    id: 'chat-1',
    object: 'chat.completion.chunk',
    choices: [],
    usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
  });
  send('[DONE]');
}

async function answerResponses(answer: Answer, send: Send, gone: AbortSignal): Promise<void> {
  const id = `resp_${++calls}`;
  send({ type: 'response.created', response: { id } });
  let item: Json;
  if (answer.kind === 'tool') {
    item = {
      type: 'function_call',
      id: `fc_${calls}`,
      call_id: `call_${calls}`,
      name: answer.name,
      arguments: JSON.stringify(answer.args),
      status: 'completed',
    };
  } else {
    const itemId = `msg_${calls}`;
    const empty = { type: 'message', id: itemId, role: 'assistant', content: [] };
    send({ type: 'response.output_item.added', output_index: 0, item: empty });
    for (const delta of answer.words) {
      const at = { item_id: itemId, output_index: 0, content_index: 0 };
      send({ type: 'response.output_text.delta', ...at, delta });
      if (answer.everyMs > 0) await pause(answer.everyMs, undefined, { signal: gone });
    }
    if (answer.hang) await pause(2 ** 31 - 1, undefined, { signal: gone });
    const content = [{ type: 'output_text', text: answer.words.join(''), annotations: [] }];
    item = { ...empty, content };
  }
  send({ type: 'response.output_item.done', output_index: 0, item });
  const usage = { input_tokens: 100, output_tokens: 20, total_tokens: 120 };
  send({ type: 'response.completed', response: { id, usage } });
}

async function readBody(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const parsed: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return isObject(parsed) ? parsed : {};
}

export async function startModelServer(): Promise<ModelServer> {
  const requests: ModelRequest[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://model').pathname;
    const protocol = path.endsWith('/chat/completions')
      ? { read: readChat, answer: answerChat }
      : path.endsWith('/responses')
        ? { read: readResponses, answer: answerResponses }
        : null;
    if (request.method !== 'POST' || protocol === null) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: `no route ${path}`, type: 'not_found' } }));
      return;
    }
    const body = await readBody(request);
    requests.push({ path, headers: request.headers, body });
    const fault = /^fault-(\d{3})$/.exec(String(body['model']).split('/').at(-1) ?? '');
    if (fault?.[1] !== undefined) {
      response.writeHead(Number(fault[1]), { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: 'as the test asked', type: 'fault' } }));
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send: Send = (data) => {
      response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
    };
    await protocol
      .answer(decide(protocol.read(body)), send, gone.signal)
      .catch((error: unknown) => {
        if (!gone.signal.aborted) throw error;
      });
    response.end();
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
