import type { SessionUpdate } from '@agentclientprotocol/sdk';
import { eventPayloads, isKnownKind } from '@berth/contract';
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { limits } from '../limits.ts';
import { emptyNormaliser, endText, normalise, updateOf, type Context } from './normalise.ts';
import { approvalOf } from './permission.ts';
import { pieces } from './content.ts';
import { outputOf } from './tool.ts';
import { LineSplitter } from './lines.ts';

/** Lines as real agents wrote them, shortened; and what becomes of them. */
function run(lines: string[], turnId?: string) {
  let ids = 0;
  let state = emptyNormaliser('ask');
  const context: Context = {
    newId: () => `m${String(++ids)}`,
    harness: {
      modes: { ask: { name: 'Ask', acpMode: 'default' }, auto: { name: 'Auto', acpMode: 'yolo' } },
      acp: {
        argv: ['agent'],
        modeText: '^\\[MODE_UPDATE\\] (\\w+)$',
        noticeText: '^Warning: ([^]*?)\\s*$',
      },
    },
    ...(turnId === undefined ? {} : { turnId }),
  };
  const items = lines.flatMap((raw) => {
    const update = updateOf(JSON.parse(raw));
    if (update === null) throw new Error('no update');
    const done = normalise(state, update, { ...context, raw });
    state = done.state;
    return done.items;
  });
  return [...items, ...endText(state, context).items];
}
const line = (update: object): string =>
  JSON.stringify({ jsonrpc: '2.0', method: 'session/update', params: { sessionId: 's', update } });
const chunk = (text: string, kind = 'message', messageId?: string) =>
  line({ sessionUpdate: `agent_${kind}_chunk`, content: { type: 'text', text }, messageId });
const short = (lines: string[]) =>
  run(lines).map(({ kind, payload }) =>
    `${kind} ${[payload['messageId'], payload['toolCallId']].filter((id) => typeof id === 'string').join()}`.trim(),
  );

test('what an agent says of itself is a notice, once; what its model says is not', () => {
  const warning = 'Warning: Model metadata for `m` not found.\n\n';
  const items = run([
    chunk(warning),
    chunk('Hello', 'message', 'a1'),
    chunk(warning),
    chunk('Warning: this is hot', 'message', 'a1'),
    chunk('Warning: another'),
  ]);
  expect(
    items.filter(({ kind }) => kind === 'notice').map(({ payload }) => payload['text']),
  ).toEqual(['Model metadata for `m` not found.', 'another']);
  const said = items.flatMap(({ kind, payload }) =>
    kind === 'message.delta' ? [payload['text']] : [],
  );
  expect(said).toEqual(['Hello', 'Warning: this is hot']);
});

describe('texts', () => {
  test.each<[string, string[], string[]]>([
    [
      'one message',
      [chunk('a'), chunk('b')],
      ['message.delta m1', 'message.delta m1', 'message.end m1'],
    ],
    [
      'a thought before it',
      [chunk('a', 'thought'), chunk('b')],
      ['thought.delta m1', 'thought.end m1', 'message.delta m2', 'message.end m2'],
    ],
    [
      'the agent’s own ids tell messages apart',
      [chunk('a', 'message', '1'), chunk('b', 'message', '2')],
      ['message.delta m1', 'message.end m1', 'message.delta m2', 'message.end m2'],
    ],
    [
      'a tool ends it',
      [chunk('a'), line({ sessionUpdate: 'tool_call', toolCallId: 't', title: 'x' }), chunk('b')],
      ['message.delta m1', 'message.end m1', 'tool t', 'message.delta m2', 'message.end m2'],
    ],
    [
      'usage and commands between chunks end nothing',
      [
        chunk('a'),
        line({ sessionUpdate: 'usage_update', used: 1, size: 2 }),
        line({ sessionUpdate: 'available_commands_update', availableCommands: [] }),
        chunk('b'),
      ],
      ['message.delta m1', 'commands', 'message.delta m1', 'message.end m1'],
    ],
    ['an empty chunk is nothing', [chunk('')], []],
    [
      'session info ends a text outside a turn',
      [chunk('a'), line({ sessionUpdate: 'session_info_update' })],
      ['message.delta m1', 'message.end m1'],
    ],
    ['an unknown kind passes', [line({ sessionUpdate: 'state_update', state: 'idle' })], []],
  ])('%s', (_name, lines, expected) => {
    expect(short(lines)).toEqual(expected);
  });

  test('a title that comes in the middle of a turn cuts no text', () => {
    const lines = [
      chunk('a'),
      line({ sessionUpdate: 'session_info_update', title: 'T' }),
      chunk('b'),
    ];
    expect(run(lines, 'turn').map(({ kind }) => kind)).toEqual([
      'message.delta',
      'message.delta',
      'message.end',
    ]);
  });

  test('a long text becomes pieces, the raw line stands at the last', () => {
    const text = `${'x'.repeat(65_535)}\u{1f600}${'y'.repeat(70_000)}`;
    const items = run([chunk(text)], 'turn').filter(({ kind }) => kind === 'message.delta');
    expect(items.map(({ payload }) => payload['text']).join('')).toBe(text);
    expect(items.map(({ raw }) => raw !== undefined)).toEqual([false, false, true]);
    expect(items.every(({ turnId }) => turnId === 'turn')).toBe(true);
    expect(
      pieces(text).every((piece) => piece.length <= 65_536 && !/[\ud800-\udbff]$/.test(piece)),
    ).toBe(true);
  });
  test('a text without an end becomes several, none of them longer than anybody can hold', () => {
    const text = 'word '.repeat(100_000);
    const items = run(Array.from({ length: 5 }, () => chunk(text, 'message', 'theirs')));
    const lengths = new Map<unknown, number>();
    let whole = '';
    for (const { payload } of items.filter((item) => item.kind === 'message.delta')) {
      const piece = String(payload['text']);
      lengths.set(payload['messageId'], (lengths.get(payload['messageId']) ?? 0) + piece.length);
      whole += piece;
    }
    expect(whole).toBe(text.repeat(5));
    expect(lengths.size).toBeGreaterThan(8);
    expect(Math.max(...lengths.values())).toBeLessThanOrEqual(limits.textMost);
    const ended = items.filter(({ kind }) => kind === 'message.end');
    expect(ended.map(({ payload }) => payload['messageId'])).toEqual([...lengths.keys()]);
  });
  test('an image is a message of its own, and U+0000 never gets out', () => {
    const image = { type: 'image', mimeType: 'image/png', data: 'AAAA', annotations: null };
    const items = run([
      chunk('a\u0000'),
      line({ sessionUpdate: 'agent_message_chunk', content: image }),
    ]);
    expect(items.map(({ kind }) => kind)).toEqual(['message.delta', 'message.end', 'message']);
    expect(items[0]?.payload['text']).toBe('a\ufffd');
    expect(items[2]?.payload['content']).toEqual([
      { type: 'image', mimeType: 'image/png', data: 'AAAA' },
    ]);
  });
});

describe('tools', () => {
  test('every update carries what changed; in_progress is running; a diff is a diff', () => {
    const items = run([
      line({
        sessionUpdate: 'tool_call',
        toolCallId: 't',
        title: 'Edit',
        kind: 'edit',
        locations: [{ path: '/workspace/a', line: 3 }],
        rawInput: { a: 1 },
      }),
      line({ sessionUpdate: 'tool_call_update', toolCallId: 't', status: 'in_progress' }),
      line({
        sessionUpdate: 'tool_call_update',
        toolCallId: 't',
        status: 'completed',
        content: [
          { type: 'diff', path: '/workspace/a', oldText: null, newText: 'n' },
          { type: 'content', content: { type: 'text', text: 'ok' } },
          { type: 'terminal', terminalId: 'x' },
        ],
        rawOutput: { exit_code: 0, aggregated_output: 'out' },
      }),
    ]);
    expect(items.map(({ payload }) => payload)).toEqual([
      {
        toolCallId: 't',
        title: 'Edit',
        kind: 'edit',
        status: 'pending',
        locations: [{ path: '/workspace/a', line: 3 }],
        rawInput: { a: 1 },
      },
      { toolCallId: 't', status: 'running' },
      {
        toolCallId: 't',
        status: 'completed',
        content: [{ type: 'text', text: 'ok' }],
        diff: [{ path: '/workspace/a', newText: 'n' }],
        output: { text: 'out' },
        exitCode: 0,
      },
    ]);
    for (const { kind, payload } of items)
      if (isKnownKind(kind)) expect(z.safeParse(eventPayloads[kind], payload).success).toBe(true);
  });
  test.each<[unknown, object]>([
    [undefined, {}],
    [null, {}],
    ['text', { text: 'text' }],
    [{ stdout: 'o', stderr: 'e' }, { text: 'o\ne' }],
    [
      { output: 'o', metadata: { exit: 2 } },
      { text: 'o', exitCode: 2 },
    ],
    [{ exitCode: 1 }, { exitCode: 1 }],
    [[{ type: 'text', text: 'a' }], { text: 'a' }],
    [7, { text: '7' }],
  ])('output %j', (raw, expected) => {
    expect(outputOf(raw)).toEqual(expected);
  });
});

test('modes have Berth’s names, and the same mode again is no news', () => {
  const items = run([
    line({ sessionUpdate: 'current_mode_update', currentModeId: 'default' }),
    line({ sessionUpdate: 'current_mode_update', currentModeId: 'yolo' }),
    line({ sessionUpdate: 'current_mode_update', currentModeId: 'plan' }),
  ]);
  expect(items.map(({ payload }) => payload['current'])).toEqual(['auto', 'plan']);
});

test('a mode that is told as a piece of text is a mode, and the text around it is one', () => {
  const items = run([
    chunk('a'),
    chunk('[MODE_UPDATE] yolo'),
    chunk('b [MODE_UPDATE] yolo'),
    chunk('[MODE_UPDATE] yolo'),
  ]);
  expect(items.map(({ kind, payload }) => [kind, payload['text'] ?? payload['current']])).toEqual([
    ['message.delta', 'a'],
    ['mode', 'auto'],
    ['message.delta', 'b [MODE_UPDATE] yolo'],
    ['message.end', undefined],
  ]);
});

test('what is no update is not taken for one', () => {
  for (const message of [
    null,
    3,
    [],
    {},
    { method: 'session/update' },
    { method: 'session/update', params: { update: 3 } },
  ])
    expect(updateOf(message)).toBeNull();
  expect(() =>
    normalise(emptyNormaliser('ask'), { sessionUpdate: 'plan' } as unknown as SessionUpdate, {
      newId: () => '',
      harness: { modes: {}, acp: { argv: ['agent'] } },
    }),
  ).toThrow(TypeError);
});

test('a question says what a person must know', () => {
  expect(
    approvalOf({
      sessionId: 's',
      toolCall: {
        toolCallId: 't',
        title: 'Run',
        rawInput: { command: ['rm', '-rf', 'x'], cwd: '/workspace' },
        locations: [{ path: 'x' }],
        content: [{ type: 'diff', path: 'y', newText: '' }],
      },
      options: [{ optionId: 'a', name: 'Allow', kind: 'allow_once' }],
    }),
  ).toEqual({
    toolCallId: 't',
    title: 'Run',
    facts: [
      { label: 'command', value: 'rm -rf x' },
      { label: 'folder', value: '/workspace' },
      { label: 'files', value: 'x\ny' },
    ],
    options: [{ optionId: 'a', name: 'Allow', kind: 'allow_once' }],
  });
});

test('lines are cut the same however the bytes come', () => {
  const bytes = Buffer.from('{"a":"é"}\n\n{"b":1}\nrest');
  for (let size = 1; size < bytes.length; size++) {
    const lines: string[] = [];
    const splitter = new LineSplitter(100);
    for (let at = 0; at < bytes.length; at += size)
      splitter.push(Buffer.from(bytes.subarray(at, at + size)), (one) => lines.push(one));
    expect(lines).toEqual(['{"a":"é"}', '{"b":1}']);
  }
  expect(() => new LineSplitter(3).push(Buffer.from('abcd'), () => undefined)).toThrow(RangeError);
});
