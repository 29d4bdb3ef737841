import { imagesOf, isObject, list, textOf, type Answer, type Json } from './mind.ts';
import { nextCall, speak, type Protocol, type Send } from './protocol.ts';

// Of a hundred tokens forty come out of the cache; Anthropic counts those beside `input_tokens`.
const usage = {
  input_tokens: 60,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 40,
  output_tokens: 20,
};

function blockOf(answer: Answer, call: number): Json {
  return answer.kind === 'tool'
    ? { type: 'tool_use', id: `toolu_${call}`, name: answer.name, input: answer.args }
    : { type: 'text', text: answer.words.join('') };
}
const stopReason = (answer: Answer): string => (answer.kind === 'tool' ? 'tool_use' : 'end_turn');
const message = (call: number): Json => ({
  id: `msg_${call}`,
  type: 'message',
  role: 'assistant',
  model: 'scripted',
  stop_sequence: null,
});

/** Sends one content block: its start, its pieces, its end. */
async function block(
  send: Send,
  index: number,
  start: Json,
  pieces: (piece: (delta: Json) => void) => Promise<void> | void,
): Promise<void> {
  const say = (data: Json): void => send(data, String(data['type']));
  say({ type: 'content_block_start', index, content_block: start });
  await pieces((delta) => say({ type: 'content_block_delta', index, delta }));
  say({ type: 'content_block_stop', index });
}

/** What Claude Code tells the model by itself, in the midst of what a person wrote. */
const ownNotes =
  /(<system-reminder>[\s\S]*?<\/system-reminder>|\[Request interrupted by user[^\]]*\])\s*/g;

/** Messages, as Claude Code speaks it. */
export const messages: Protocol = {
  takes: (path) => path.endsWith('/v1/messages'),
  read: (body) => ({
    messages: list(body['messages']).map(({ role, content }) => {
      const results = list(content).filter(({ type }) => type === 'tool_result');
      if (results.length > 0)
        return {
          role: 'tool',
          text: results.map((result) => textOf(result['content'])).join('\n'),
        };
      return {
        role: role === 'user' ? 'user' : 'other',
        text: textOf(content).replace(ownNotes, ''),
        images: imagesOf(content, 'image'),
      };
    }),
    tools: list(body['tools']).map((tool) => String(tool['name'])),
    json: isObject(body['output_config']) && isObject(body['output_config']['format']),
  }),
  whole(answer) {
    const call = nextCall();
    const content = [blockOf(answer, call)];
    return { ...message(call), content, stop_reason: stopReason(answer), usage };
  },
  async stream(answer, send, gone) {
    const call = nextCall();
    const say = (data: Json): void => send(data, String(data['type']));
    const begun = { ...message(call), content: [], stop_reason: null };
    say({ type: 'message_start', message: { ...begun, usage: { ...usage, output_tokens: 1 } } });
    if (answer.kind === 'tool') {
      await block(send, 0, { ...blockOf(answer, call), input: {} }, (piece) =>
        piece({ type: 'input_json_delta', partial_json: JSON.stringify(answer.args) }),
      );
    } else {
      const { thought } = answer;
      if (thought !== undefined)
        await block(send, 0, { type: 'thinking', thinking: '', signature: '' }, (piece) => {
          for (const word of thought.match(/\s*\S+/g) ?? [])
            piece({ type: 'thinking_delta', thinking: word });
          piece({ type: 'signature_delta', signature: 'c2lnbmVk' });
        });
      await block(send, thought === undefined ? 0 : 1, { type: 'text', text: '' }, (piece) =>
        speak(answer, (word) => piece({ type: 'text_delta', text: word }), gone),
      );
    }
    const delta = { stop_reason: stopReason(answer), stop_sequence: null };
    say({ type: 'message_delta', delta, usage });
    say({ type: 'message_stop' });
  },
};
