// An agent that says much: it runs in a sandbox in the place of a real one, and knows only as much of ACP as that takes.
// A prompt is `<what> <times> <bytes>`; like every program it waits while nobody reads what it writes.
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const say = async (message) => {
  if (!process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`))
    await once(process.stdout, 'drain');
};
const update = (update) => say({ method: 'session/update', params: { sessionId: 'loud', update } });
const words = (text) => ({ type: 'text', text });
const speak = (text) => update({ sessionUpdate: 'agent_message_chunk', content: words(text) });
const kinds = {
  text: speak,
  thought: (text) => update({ sessionUpdate: 'agent_thought_chunk', content: words(text) }),
  tool: (text) =>
    update({
      sessionUpdate: 'tool_call_update',
      toolCallId: 'one',
      status: 'in_progress',
      content: [{ type: 'content', content: words(text) }],
      rawOutput: { text },
    }),
  tools: async (text, n) => {
    const toolCallId = `tool-${String(n)}`;
    const content = [{ type: 'content', content: words(text) }];
    await update({ sessionUpdate: 'tool_call', toolCallId, title: toolCallId, kind: 'execute' });
    await update({ sessionUpdate: 'tool_call_update', toolCallId, status: 'completed', content });
  },
  plan: (text) =>
    update({
      sessionUpdate: 'plan',
      entries: [{ content: text, priority: 'low', status: 'pending' }],
    }),
};
const answers = {
  initialize: () => ({ protocolVersion: 1, agentCapabilities: { loadSession: true } }),
  'session/new': () => ({ sessionId: 'loud' }),
  'session/load': () => ({}),
  'session/prompt': async ({ prompt }) => {
    const [what, times, bytes] = prompt
      .map(({ text }) => text ?? '')
      .join('')
      .trim()
      .split(' ');
    if (what === 'tool')
      await update({
        sessionUpdate: 'tool_call',
        toolCallId: 'one',
        title: 'one',
        kind: 'execute',
      });
    for (let n = 0; n < Number(times); n++)
      await kinds[what](`${String(n)} ${'word '.repeat(Number(bytes) / 5)}`, n);
    await speak('the end');
    return { stopReason: 'end_turn' };
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const answer = answers[method];
  if (answer === undefined) await say({ id, error: { code: -32601, message: `no ${method}` } });
  else Promise.resolve(answer(params)).then((result) => say({ id, result }));
}
