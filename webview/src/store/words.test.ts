import type { Session, SessionStatus } from '@berth/contract';
import { describe, expect, test } from 'vitest';
import { decidedTitle, inOrder, optionWords, primaryOption } from '../approvals/words.ts';
import { announce, announceConnection } from './announce.ts';
import type { AskEntry, Entry, ToolEntry } from './entries.ts';
import { offlineLook, statusLook } from './status.ts';
import { toolLook } from './tool-words.ts';

const now = Date.parse('2026-11-22T14:00:00.000Z');
const session = (status: SessionStatus, part: Partial<Session> = {}) =>
  ({
    status,
    statusSince: '2026-11-22T13:56:00.000Z',
    lastSeq: 5,
    unreadSeq: 5,
    ...part,
  }) as Session;
test.each<[SessionStatus, Partial<Session>, string, string]>([
  ['starting', {}, 'Starting sandbox', 'loading'],
  ['running', {}, 'Running 4 min', 'session-in-progress'],
  ['waiting', {}, 'Needs you', 'report'],
  ['waiting', { reason: 'budget' }, 'Budget spent', 'report'],
  ['stalled', {}, 'Stalled for 4 min', 'warning'],
  ['idle', {}, 'Idle', 'circle-small-filled'],
  ['idle', { unreadSeq: 2 }, 'New answer', 'circle-filled'],
  ['suspended', {}, 'Suspended', 'debug-pause'],
  ['failed', { reason: 'out of memory' }, 'Failed: out of memory', 'error'],
  ['lost', {}, 'Sandbox lost', 'debug-disconnect'],
])('%s %j = %s', (status, part, words, icon) => {
  expect(statusLook(session(status, part), now)).toMatchObject({ words, icon });
});
test.each([
  ['running', {}, 'Was running'],
  ['waiting', {}, 'Needed you'],
  ['idle', { unreadSeq: 2 }, 'Was idle'],
  ['failed', { reason: 'out of memory' }, 'Had failed'],
] as const)('without a connection only the past is said: %s', (status, part, words) => {
  expect(offlineLook(session(status, part), now, now).words).toMatch(
    new RegExp(`^${words} at \\d\\d:\\d\\d$`),
  );
});

const tool = (part: Partial<ToolEntry>): ToolEntry => ({
  kind: 'tool',
  id: 'tool:a',
  order: 1,
  at: 1,
  toolCallId: 'a',
  title: 'a',
  tool: 'execute',
  status: 'completed',
  locations: [],
  content: [],
  diff: [],
  ...part,
});
test.each<[Partial<ToolEntry>, string]>([
  [{ rawInput: { command: 'npm test' } }, 'Ran npm test'],
  [{ rawInput: { command: ['npm', 'test'] }, status: 'running' }, 'Running npm test'],
  [{ title: '`ls -la`' }, 'Ran ls -la'],
  [
    {
      tool: 'read',
      title: 'Read /workspace/src/a.ts',
      locations: [{ path: '/workspace/src/a.ts' }],
    },
    'Read src/a.ts',
  ],
  [{ tool: 'read', title: 'Read src/b.ts' }, 'Read src/b.ts'],
  [
    { tool: 'edit', status: 'failed', diff: [{ path: '/workspace/x', newText: '' }] },
    'Edit failed x',
  ],
  [{ tool: 'search', rawInput: { pattern: 'foo' }, status: 'pending' }, 'Waiting to search foo'],
  [{ status: 'interrupted', title: 'npm run x' }, 'Interrupted npm run x'],
  [{ tool: 'other', title: 'jira: get_issue' }, 'Used jira: get_issue'],
])('%j is told as %s', (part, words) => {
  const look = toolLook(tool(part), true);
  expect(`${look.verb} ${look.object}`).toBe(words);
});
test('a command that ended with another code than 0 looks failed', () => {
  expect(toolLook(tool({ exitCode: 2 }), true)).toMatchObject({ tone: 'error', icon: 'error' });
});

const option = (
  optionId: string,
  kind: 'allow_once' | 'allow_always' | 'reject_once' | 'reject_always',
  name = optionId,
) => ({ optionId, kind, name });
describe('a question', () => {
  const usual = [
    option('a', 'allow_always'),
    option('o', 'allow_once'),
    option('n', 'reject_once'),
  ];
  test('has one primary, the least far-reaching yes', () => {
    expect(primaryOption(usual)).toBe('o');
    const asGemini = [
      option('s', 'allow_always'),
      option('o', 'allow_once'),
      option('n', 'reject_once'),
    ];
    expect(inOrder(asGemini).map(({ optionId }) => optionId)).toEqual(['o', 's', 'n']);
    const colours = [option('red', 'allow_once'), option('blue', 'allow_once')];
    expect(inOrder(colours)).toEqual(colours);
    expect(primaryOption([option('a', 'allow_always'), option('n', 'reject_once')])).toBe('a');
    expect(primaryOption([option('red', 'allow_once'), option('blue', 'allow_once')])).toBeNull();
    expect(primaryOption([option('n', 'reject_once')])).toBeNull();
  });
  test('is worded by us, or by the agent where two say the same', () => {
    expect(usual.map((one) => optionWords(one, usual))).toEqual([
      'Allow for this session',
      'Allow once',
      'Deny',
    ]);
    const colours = [option('r', 'allow_once', 'Red'), option('b', 'allow_once', 'Blue')];
    expect(colours.map((one) => optionWords(one, colours))).toEqual(['Red', 'Blue']);
    expect(decidedTitle({ state: 'decided', options: colours, optionId: 'b' })).toBe(
      'Answered: Blue',
    );
  });
  test.each<[AskEntry['state'], string | undefined, string]>([
    ['decided', 'o', 'Allowed once'],
    ['decided', 'n', 'Denied'],
    ['superseded', undefined, 'No longer needed'],
    ['expired', undefined, 'Not answered in time, denied'],
  ])('%s %s = %s', (state, optionId, words) => {
    expect(decidedTitle({ state, options: usual, optionId })).toBe(words);
  });
});

describe('what is announced', () => {
  const first = tool({ id: 'tool:0', order: 0 });
  const ask: AskEntry = {
    kind: 'ask',
    id: 'ask:1',
    order: 3,
    at: 1,
    approvalId: 'x',
    revision: 1,
    title: 'Push?',
    facts: [],
    options: [],
    state: 'waiting',
  };
  const end: Entry = {
    kind: 'end',
    id: 'end:1',
    order: 9,
    at: 1,
    turnId: 't',
    state: 'done',
    settled: false,
  };
  test.each<[string, Entry[], Entry[], { polite: string | null; urgent: string | null }]>([
    ['nothing at the first sight', [], [ask], { polite: null, urgent: null }],
    [
      'a new question, at once',
      [first],
      [first, ask],
      { polite: null, urgent: 'The agent asks: Push?' },
    ],
    [
      'its decision is not',
      [first, ask],
      [first, { ...ask, state: 'decided' }],
      { polite: null, urgent: null },
    ],
    [
      'the end of a turn with its files',
      [first],
      [first, tool({ order: 2, tool: 'edit', diff: [{ path: 'a', newText: '' }] }), end],
      { polite: 'Agent done, 1 file changed', urgent: null },
    ],
    [
      'a failed command',
      [first],
      [first, tool({ order: 2, exitCode: 1, rawInput: { command: 'npm test' } })],
      { polite: 'npm test failed, exit code 1', urgent: null },
    ],
    [
      'never a text',
      [first],
      [
        first,
        { kind: 'agent', id: 'agent:1', order: 5, at: 1, text: 'x', content: null, open: true },
      ],
      { polite: null, urgent: null },
    ],
  ])('%s', (_what, before, after, expected) => expect(announce(before, after)).toEqual(expected));
  test('the connection', () => {
    expect(announceConnection({ state: 'connected' }, { state: 'waiting' })).toBe(
      'Connection lost',
    );
    expect(announceConnection({ state: 'waiting' }, { state: 'connecting' })).toBeNull();
    expect(announceConnection({ state: 'connecting' }, { state: 'connected' })).toBe('Connected');
  });
});
