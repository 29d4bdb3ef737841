import { expect, test } from 'vitest';
import { Replay } from './replay.ts';
import {
  hashText,
  judge,
  settlement,
  wordsBesideMore,
  type Settlement,
  type Verdict,
} from './settle.ts';

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

test.each<[string, string, string[][], 'present' | 'absent' | 'unknown']>([
  ['as it was given', 'see', [['a'], ['see']], 'present'],
  ['with the image behind it', 'see', [['a'], ['see[Image: image/png]']], 'present'],
  ['with the file behind it, in the same message', 'see', [['a', 'see @b\n---\nb']], 'present'],
  ['an image alone, as something', '', [['a'], ['[Image: image/png]']], 'unknown'],
  ['something else came last', 'see', [['a'], ['[a tool answered]']], 'unknown'],
  ['nothing came after what was before', 'see', [['x'], ['a']], 'absent'],
])('a prompt that is more than words: %s', (_name, words, messages, verdict) => {
  expect(judge(h('a', words), messages, words)).toBe(verdict);
});
test('the words of a prompt that is more than words', () => {
  const text = { type: 'text' as const, text: ' see ' };
  expect(wordsBesideMore([text])).toBeUndefined();
  expect(wordsBesideMore([text, { type: 'image', mimeType: 'image/png', data: '' }])).toBe('see');
});

const turn = { cancelled: false, arrived: false, goOns: 0 };
const goOn = (remind: boolean): Settlement => ({ kind: 'go-on', remind });
test.each<[string, typeof turn, Verdict, Settlement]>([
  ['it has the message', turn, 'present', goOn(false)],
  ['it has it not', turn, 'absent', { kind: 'again' }],
  ['its conversation is gone', turn, 'lost', { kind: 'again' }],
  ['nobody can know', turn, 'unknown', { kind: 'unknown' }],
  ['a person stopped it', { ...turn, cancelled: true }, 'absent', { kind: 'cancelled' }],
  ['it reacted, its history says nothing', { ...turn, arrived: true }, 'unknown', goOn(false)],
  ['it reacted, and forgot', { ...turn, arrived: true }, 'absent', goOn(true)],
  ['it reacted, and its conversation is gone', { ...turn, arrived: true }, 'lost', goOn(true)],
  // What is absent is what it was told last: to go on. The message itself was there.
  ['it died before it heard to go on', { ...turn, arrived: true, goOns: 1 }, 'absent', goOn(false)],
  ['it was told twice', { ...turn, arrived: true, goOns: 2 }, 'present', { kind: 'given-up' }],
  ['told twice, absent', { ...turn, arrived: true, goOns: 2 }, 'absent', { kind: 'given-up' }],
])('an open turn: %s', (_name, open, verdict, becomes) => {
  expect(settlement(open, verdict)).toEqual(becomes);
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
