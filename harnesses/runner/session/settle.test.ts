import { expect, test } from 'vitest';
import { hashText, judge, Replay } from './settle.ts';

const h = (...texts: string[]) => texts.map(hashText);
test.each<[string, string[], string[][], 'present' | 'absent' | 'unknown']>([
  ['the first message, nothing replayed', h('a'), [], 'absent'],
  ['the first message, replayed', h('a'), [['a']], 'present'],
  ['trimmed and rewrapped', h('a\nb'), [['  a\r\nb ']], 'present'],
  ['the last is missing', h('a', 'b'), [['a']], 'absent'],
  ['the last is there', h('a', 'b'), [['a'], ['b']], 'present'],
  ['two in a row replayed as one message', h('a', 'b'), [['a', 'b']], 'present'],
  ['one prompt replayed as two chunks', h('a', 'bc'), [['a'], ['b', 'c']], 'present'],
  ['the same text twice, once replayed', h('a', 'a'), [['a']], 'absent'],
  ['the same text twice, both replayed', h('a', 'a'), [['a'], ['a']], 'present'],
  ['the same text twice, replayed as one message', h('a', 'a'), [['a', 'a']], 'present'],
  ['its past was compacted away, the last is there', h('a', 'b', 'c'), [['c']], 'present'],
  ['its past was compacted away, the last but one is there', h('a', 'b', 'c'), [['b']], 'absent'],
  ['the same text thrice, once replayed', h('a', 'a', 'a'), [['a']], 'unknown'],
  ['a history that was never ours', h('a', 'b'), [['x'], ['y']], 'unknown'],
  ['an agent that rewrites: one less than we gave', h('a', 'b'), [['<a>']], 'absent'],
  ['nothing replayed of a long conversation', h('a', 'b', 'c'), [], 'unknown'],
  ['nothing was ever delivered', [], [['a']], 'unknown'],
])('%s', (_name, delivered, messages, verdict) => {
  expect(judge(delivered, messages)).toBe(verdict);
});

test('a replay is cut into user messages by what stands between them, or by their ids', () => {
  const replay = new Replay();
  const user = (text: string, messageId?: string) =>
    replay.take({
      sessionUpdate: 'user_message_chunk',
      content: { type: 'text', text },
      ...(messageId === undefined ? {} : { messageId }),
    });
  user('a');
  user('b');
  replay.take({ sessionUpdate: 'usage_update', used: 1, size: 2 });
  user('c');
  replay.take({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'x' } });
  user('d', '1');
  user('e', '2');
  expect(replay.messages).toEqual([['a', 'b', 'c'], ['d'], ['e']]);
});
