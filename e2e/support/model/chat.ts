import { imagesOf, isObject, list, textOf, type Json } from './mind.ts';
import { nextCall, speak, type Protocol } from './protocol.ts';

const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };

/** chat/completions, as opencode speaks it. */
export const chat: Protocol = {
  takes: (path) => path.endsWith('/chat/completions'),
  read: (body) => ({
    messages: list(body['messages']).map((message) => ({
      role: message['role'] === 'user' ? 'user' : message['role'] === 'tool' ? 'tool' : 'other',
      text: textOf(message['content']),
      images: imagesOf(message['content'], 'image_url'),
    })),
    tools: list(body['tools']).map((tool) =>
      isObject(tool['function']) ? String(tool['function']['name']) : '',
    ),
  }),
  whole(answer) {
    const isTool = answer.kind === 'tool';
    const message = isTool
      ? {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: `call_${nextCall()}`,
              type: 'function',
              function: { name: answer.name, arguments: JSON.stringify(answer.args) },
            },
          ],
        }
      : { role: 'assistant', content: answer.words.join('') };
    const finish = isTool ? 'tool_calls' : 'stop';
    return {
      id: 'chat-1',
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: finish }],
      usage,
    };
  },
  async stream(answer, send, gone) {
    const choose = (delta: Json, finish: string | null = null): void =>
      send({
        id: 'chat-1',
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta, finish_reason: finish }],
      });
    choose({ role: 'assistant' });
    if (answer.kind === 'tool') {
      const id = `call_${nextCall()}`;
      const called = { name: answer.name, arguments: '' };
      choose({ tool_calls: [{ index: 0, id, type: 'function', function: called }] });
      choose({ tool_calls: [{ index: 0, function: { arguments: JSON.stringify(answer.args) } }] });
      choose({}, 'tool_calls');
    } else {
      if (answer.thought !== undefined) choose({ reasoning_content: answer.thought });
      await speak(answer, (content) => choose({ content }), gone);
      choose({}, 'stop');
    }
    send({
      id: 'chat-1',
      object: 'chat.completion.chunk',
      choices: [],
      usage,
    });
    send('[DONE]');
  },
};
