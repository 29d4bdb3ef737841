import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyLedger, foldItem, foldNote, type Ledger } from '../journal/ledger.ts';
import { Replay } from './replay.ts';
import { hashText, look, settlement } from './settle.ts';
import { typedThere } from './typed-items.ts';
import { typedSince } from './typed.ts';

const h = (...texts: string[]) => texts.map(hashText);
/** What is new, in words. */
function news(delivered: string[], loose: number, messages: string[][]): string[] | 'unsure' {
  const typed = typedSince(delivered, loose, messages);
  if (typed.kind === 'unsure') return 'unsure';
  if (typed.kind === 'none') return [];
  const { message, chunk } = typed.place;
  return messages
    .slice(message)
    .map((chunks, at) => (at === 0 ? chunks.slice(chunk) : chunks).join(''));
}

test.each<[string, string[], number, string[][], string[] | 'unsure']>([
  ['nothing was typed', h('a', 'b'), 0, [['a'], ['b']], []],
  ['one message', h('a'), 0, [['a'], ['x']], ['x']],
  ['in a conversation that had none', [], 0, [['x'], ['y']], ['x', 'y']],
  ['the words of ours once more', h('a', 'b'), 0, [['a'], ['b'], ['b'], ['a']], ['b', 'a']],
  ['ours twice, and once more', h('a', 'a'), 0, [['a'], ['a'], ['a']], ['a']],
  ['trimmed and rewrapped', h('a\nb'), 0, [[' a\r\nb '], ['x']], ['x']],
  ['ours and the first typed one replayed as one', h('a'), 0, [['a', 'x'], ['y']], ['x', 'y']],
  ['two of ours replayed as one', h('a', 'b'), 0, [['a', 'b'], ['x']], ['x']],
  ['a typed one of several pieces', h('a'), 0, [['a'], ['x', 'y']], ['xy']],
  ['the agent put something in front', h('a'), 0, [['~'], ['a'], ['x']], ['x']],
  ['the agent put something between', h('a', 'b'), 0, [['a'], ['~'], ['b'], ['x']], ['x']],
  ['it dropped an earlier one of ours', h('a', '-', 'b'), 0, [['a'], ['b'], ['x']], ['x']],
  ['it dropped one, and put another there', h('a', '-', 'b'), 0, [['a'], ['~'], ['b']], 'unsure'],
  ['an image alone is no word', h('a', ''), 0, [['a'], [], ['x']], ['x']],
  ['our last one is gone', h('a', 'b'), 0, [['a'], ['x']], 'unsure'],
  ['our last one did not end well and is gone', h('a', 'b'), 1, [['a'], ['x']], ['x']],
  ['it did not end well and is there', h('a', 'b'), 1, [['a'], ['b'], ['x']], ['x']],
  ['two did not end well, the first is gone', h('a', 'b', 'c'), 2, [['a'], ['c'], ['x']], ['x']],
  ['two did not end well, both are gone', h('a', 'b', 'c'), 2, [['a'], ['x']], ['x']],
  ['gone, and typed once more behind another', h('a', 'b'), 1, [['a'], ['x'], ['b']], 'unsure'],
  ['none of ours ended well', h('a'), 1, [['x']], ['x']],
  ['compacted', h('a', 'b', 'c'), 0, [['summary'], ['x']], 'unsure'],
  ['compacted, our last one is there', h('a', 'b', 'c'), 0, [['summary'], ['c'], ['x']], 'unsure'],
  ['another order', h('a', 'b', 'c'), 0, [['b'], ['a'], ['c'], ['x']], 'unsure'],
  ['nothing is left', h('a'), 0, [], 'unsure'],
])('%s', (_name, delivered, loose, messages, expected) => {
  expect(news(delivered, loose, messages)).toEqual(expected);
});

test('what was given before this journal began is not guessed', () => {
  const replay = new Replay();
  const user = (text: string) =>
    replay.take({ sessionUpdate: 'user_message_chunk', content: { type: 'text', text } });
  const act = () =>
    replay.take({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'ok' } });
  user('old');
  act();
  user('a');
  act();
  expect(typedThere({ delivered: h('a') }, replay, () => 'id')).toEqual([]);
  user('x');
  expect(typedThere({ delivered: h('a') }, replay, () => 'id')).toBeNull();
  expect(typedThere({ delivered: [] }, replay, () => 'id')).toBeNull();
});

test.each([
  ['cancelled', 1],
  ['failed', 1],
  ['done', null],
])('a message whose turn is %s may be missing, or not', (state, told) => {
  let ledger = foldNote(emptyLedger, { kind: 'begun' });
  ledger = foldNote(ledger, { kind: 'accepted', turnId: 't', prompt: prompt('a') });
  const sha256 = hashText('a');
  ledger = foldNote(ledger, { kind: 'delivered', turnId: 't', sha256, as: 'first' });
  ledger = foldItem(ledger, { kind: 'turn.ended', payload: { turnId: 't', state } });
  const replay = new Replay();
  replay.take({ sessionUpdate: 'user_message_chunk', content: { type: 'text', text: 'x' } });
  expect(typedThere(ledger, replay, () => 'id')?.length ?? null).toBe(told);
});

/**
 * An agent and a journal side by side. Texts are of three letters, so that what is typed is often what was given. `drops`: the agent forgets a message that
 * was cancelled; `prefix`: its history begins with a word of its own.
 */
type Step =
  | { do: 'turn'; text: string }
  | { do: 'cancelled'; text: string }
  /** The agent dies with the turn open; it had taken the message in, or not. */
  | { do: 'died'; text: string; took: boolean }
  | { do: 'terminal'; texts: string[] };
const letter = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('turn' as const), text: letter }),
  fc.record({ do: fc.constant('cancelled' as const), text: letter }),
  fc.record({ do: fc.constant('died' as const), text: letter, took: fc.boolean() }),
  fc.record({
    do: fc.constant('terminal' as const),
    texts: fc.array(letter, { maxLength: 3 }),
  }),
);
const prompt = (text: string) => [{ type: 'text' as const, text }];

function live(steps: readonly Step[], agent: { drops: boolean; prefix: boolean; merges: boolean }) {
  const history: string[] = agent.prefix ? ['~'] : [];
  const seen = { typed: [] as string[], said: [] as string[], unsure: 0, wrong: [] as string[] };
  let ids = 0;
  const newId = () => `id-${String(ids++)}`;
  let ledger: Ledger = foldNote(
    foldItem(emptyLedger, {
      kind: 'agent.session',
      payload: { agentSessionId: 's', holder: 'chat' },
    }),
    { kind: 'begun' },
  );
  const fold = (item: Parameters<typeof foldItem>[1]): void => {
    ledger = foldItem(ledger, item);
  };
  const load = (): Replay => {
    const replay = new Replay('^~$', ledger.delivered);
    for (const text of history) {
      replay.take({ sessionUpdate: 'user_message_chunk', content: { type: 'text', text } });
      if (!agent.merges)
        replay.take({
          sessionUpdate: 'agent_message_chunk',
          content: { type: 'text', text: 'ok' },
        });
    }
    return replay;
  };
  for (const [n, now] of steps.entries()) {
    if (now.do === 'terminal') {
      fold({ kind: 'agent.session', payload: { agentSessionId: 's', holder: 'terminal' } });
      history.push(...now.texts);
      fold({ kind: 'agent.session', payload: { agentSessionId: 's', holder: 'chat' } });
      const replay = load();
      const typed = typedThere(ledger, replay, newId);
      if (typed === null) seen.unsure++;
      ledger = foldNote(ledger, {
        kind: 'replayed',
        hashes: replay.hashes(),
        ...(typed === null ? {} : { typed }),
      });
      // Killed here, any number of times: what is left of it is what was not yet numbered.
      for (let left = ledger.typed; left !== undefined; left = ledger.typed) {
        const [first] = left;
        if (first === undefined) throw new Error('an empty rest');
        if (first.kind === 'message.user') {
          const { content } = first.payload as { content: { text: string }[] };
          seen.said.push(content[0]?.text ?? '');
        }
        fold(first);
      }
      if (typed !== null) seen.typed.push(...now.texts);
      continue;
    }
    const turnId = `t${String(n)}`;
    ledger = foldNote(ledger, { kind: 'accepted', turnId, prompt: prompt(now.text) });
    const sha256 = hashText(now.text);
    ledger = foldNote(ledger, { kind: 'delivered', turnId, sha256, as: 'first' });
    if (now.do === 'died') {
      if (now.took) history.push(now.text);
      const turn = ledger.turns[turnId];
      const replay = load();
      if (turn?.state !== 'open') throw new Error('not open');
      const verdict = look(ledger, turn, replay.messages);
      if (verdict === (now.took ? 'absent' : 'present'))
        seen.wrong.push(`${String(n)}: ${verdict}, ${settlement(turn, verdict).kind}`);
      ledger = foldNote(ledger, { kind: 'replayed', hashes: replay.hashes() });
      if (!now.took) history.push(now.text);
      if (!now.took) ledger = foldNote(ledger, { kind: 'delivered', turnId, sha256, as: 'again' });
    } else if (now.do === 'turn' || !agent.drops) history.push(now.text);
    const state = now.do === 'cancelled' ? 'cancelled' : 'done';
    fold({ kind: 'turn.ended', turnId, payload: { turnId, state } });
  }
  return seen;
}

describe('whatever was given and typed', () => {
  const conversation = fc.array(step, { maxLength: 9 });
  test('each typed message is told once, in order, and no message of ours is', () => {
    fc.assert(
      fc.property(conversation, fc.boolean(), (steps, prefix) => {
        const seen = live(steps, { drops: false, prefix, merges: false });
        expect(seen.said).toEqual(seen.typed);
        expect(seen.unsure).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
  test('what was typed is never taken for an open turn’s message, nor hides it', () => {
    fc.assert(
      fc.property(conversation, fc.boolean(), (steps, prefix) => {
        expect(live(steps, { drops: false, prefix, merges: false }).wrong).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
  test('of an agent that drops what was cancelled, nothing is told that was not typed', () => {
    fc.assert(
      fc.property(conversation, (steps) => {
        const seen = live(steps, { drops: true, prefix: true, merges: false });
        expect(isPart(seen.said, seen.typed)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
  test('of an agent that says nothing between two messages, each is told once all the same', () => {
    fc.assert(
      fc.property(fc.array(letter, { maxLength: 4 }), fc.array(letter), (given, typed) => {
        // One message of many pieces: its pieces are all that there is.
        const steps: Step[] = given.map((text) => ({ do: 'turn', text }));
        const seen = live([...steps, { do: 'terminal', texts: typed }], {
          drops: false,
          prefix: false,
          merges: true,
        });
        expect(seen.said.join('')).toBe(typed.join(''));
      }),
      { numRuns: 2000 },
    );
  });
});
const isPart = (part: readonly string[], list: readonly string[]): boolean => {
  let at = 0;
  for (const item of list) if (item === part[at]) at++;
  return at === part.length;
};
