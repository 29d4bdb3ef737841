import { isObject, list, type Answer, type Json, type Message } from './mind.ts';
import { speak, type Protocol } from './protocol.ts';

const call = /\/models\/([^/:]+):(generateContent|streamGenerateContent)$/;

/** The text of each tool result in a message. */
function resultOf({ functionResponse }: Json): string[] {
  const answer = isObject(functionResponse) ? functionResponse['response'] : undefined;
  if (!isObject(answer)) return [];
  const text = answer['output'] ?? answer['error'];
  return [typeof text === 'string' ? text : JSON.stringify(answer)];
}

/** Gemini CLI puts what people said one after the other into one message; each piece of text was one, but for the files that were mentioned in it. */
function saidBy(role: Message['role'], parts: Json[]): Message[] {
  const said: (Message & { images: number })[] = [];
  for (const { text, inlineData } of parts) {
    const last = said.at(-1);
    const mentioned = last?.text.includes('--- Content from referenced') === true;
    const begins = typeof text === 'string' && text.startsWith('\n--- Content from referenced');
    if (typeof text !== 'string') {
      if (last && isObject(inlineData)) last.images += 1;
    } else if (last && (mentioned || begins)) last.text += `\n${text}`;
    else said.push({ role, text, images: 0 });
  }
  return said;
}

const usageMetadata = {
  promptTokenCount: 100,
  cachedContentTokenCount: 40,
  candidatesTokenCount: 15,
  thoughtsTokenCount: 5,
  totalTokenCount: 120,
};
const piece = (...parts: Json[]): Json => ({
  candidates: [{ content: { role: 'model', parts }, index: 0 }],
});
const last = (...parts: Json[]): Json => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, finishReason: 'STOP' }],
  usageMetadata,
});
const calling = ({ name, args }: Extract<Answer, { kind: 'tool' }>): Json => ({
  functionCall: { name, args },
});
const thinking = (thought: string): Json => ({ text: `**Thinking** ${thought}`, thought: true });

/** Google's own, as Gemini CLI speaks it: the model and what is asked of it stand in the path. */
export const gemini: Protocol = {
  takes: (path) => call.test(path),
  model: (path) => call.exec(path)?.[1] ?? '',
  streams: (path) => path.endsWith(':streamGenerateContent'),
  read: (body) => ({
    messages: list(body['contents']).flatMap(({ role, parts }) => {
      const results = list(parts).flatMap(resultOf);
      if (results.length > 0) return [{ role: 'tool', text: results.join('\n') }];
      return saidBy(role === 'user' ? 'user' : 'other', list(parts));
    }),
    tools: list(body['tools'])
      .flatMap((tool) => list(tool['functionDeclarations']))
      .map(({ name }) => String(name)),
  }),
  whole(answer) {
    if (answer.kind === 'tool') return last(calling(answer));
    const thoughts = answer.thought === undefined ? [] : [thinking(answer.thought)];
    return last(...thoughts, { text: answer.words.join('') });
  },
  async stream(answer, send, gone) {
    if (answer.kind === 'tool') {
      send(last(calling(answer)));
      return;
    }
    if (answer.thought !== undefined) send(piece(thinking(answer.thought)));
    await speak(answer, (text) => send(piece({ text })), gone);
    send(last({ text: '' }));
  },
};
