import { imagesOf, list, textOf, type Json } from './mind.ts';
import { nextCall, speak, type Protocol } from './protocol.ts';

/** Responses, as Codex speaks it. */
export const responses: Protocol = {
  takes: (path) => path.endsWith('/responses'),
  read: (body) => ({
    messages: list(body['input']).map((item) => {
      if (item['type'] === 'function_call_output')
        return { role: 'tool', text: textOf(item['output']) };
      return {
        role: item['role'] === 'user' ? 'user' : 'other',
        text: textOf(item['content']),
        images: imagesOf(item['content'], 'input_image'),
      };
    }),
    tools: list(body['tools']).map((tool) => String(tool['name'])),
  }),
  async stream(answer, send, gone) {
    const call = nextCall();
    const id = `resp_${call}`;
    send({ type: 'response.created', response: { id } });
    let item: Json;
    if (answer.kind === 'tool') {
      item = {
        type: 'function_call',
        id: `fc_${call}`,
        call_id: `call_${call}`,
        name: answer.name,
        arguments: JSON.stringify(answer.args),
        status: 'completed',
      };
    } else {
      const itemId = `msg_${call}`;
      const empty = { type: 'message', id: itemId, role: 'assistant', content: [] };
      send({ type: 'response.output_item.added', output_index: 0, item: empty });
      const at = { item_id: itemId, output_index: 0, content_index: 0 };
      const say = (delta: string): void =>
        send({ type: 'response.output_text.delta', ...at, delta });
      await speak(answer, say, gone);
      const content = [{ type: 'output_text', text: answer.words.join(''), annotations: [] }];
      item = { ...empty, content };
    }
    send({ type: 'response.output_item.done', output_index: 0, item });
    const usage = { input_tokens: 100, output_tokens: 20, total_tokens: 120 };
    send({ type: 'response.completed', response: { id, usage } });
  },
};
