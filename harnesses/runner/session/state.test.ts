import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyLedger, foldNote, type Ledger } from '../journal/ledger.ts';
import {
  initialState,
  nextAction,
  reduce,
  type Action,
  type SessionEvent,
  type SessionState,
} from './state.ts';

const withTurn: Ledger = foldNote(emptyLedger, {
  kind: 'accepted',
  turnId: 't',
  prompt: [{ type: 'text', text: 'x' }],
});
const up: SessionState = { ...initialState, here: true, workspace: 'ready', agent: 'up' };

describe('nextAction', () => {
  test.each<[string, SessionState, Ledger, Action]>([
    ['nobody there', initialState, withTurn, 'wait'],
    ['the sandbox came', { ...initialState, here: true }, emptyLedger, 'prepare-workspace'],
    [
      'files are awaited',
      { ...initialState, here: true, workspace: 'awaiting-archive' },
      withTurn,
      'wait',
    ],
    ['the workspace is ready', { ...up, agent: 'none' }, emptyLedger, 'start-agent'],
    ['nothing to do', up, emptyLedger, 'wait'],
    ['a turn waits', up, withTurn, 'deliver'],
    ['a turn runs', { ...up, prompting: true }, withTurn, 'wait'],
    ['too many deaths', { ...up, agent: 'failed' }, withTurn, 'wait'],
    ['its terminal wants the conversation', { ...up, holds: ['terminal'] }, withTurn, 'stop-agent'],
    ['its terminal has it', { ...up, agent: 'none', holds: ['terminal'] }, withTurn, 'wait'],
    [
      'a restart was asked for in mid-turn',
      { ...up, prompting: true, restartWanted: true },
      withTurn,
      'stop-agent',
    ],
  ])('%s', (_name, state, ledger, action) => {
    expect(nextAction(state, ledger)).toBe(action);
  });
});

test('two that hold must both release', () => {
  const held = reduce(reduce(up, { kind: 'hold', why: 'terminal' }), {
    kind: 'hold',
    why: 'quiesced',
  });
  const once = reduce(held, { kind: 'release', why: 'terminal' });
  expect(nextAction({ ...once, agent: 'none' }, withTurn)).toBe('wait');
  const both = reduce(once, { kind: 'release', why: 'quiesced' });
  expect(nextAction({ ...both, agent: 'none' }, withTurn)).toBe('start-agent');
});

test('three deaths within a minute fail, spread over time they do not', () => {
  const die = (times: number[]) =>
    times.reduce<SessionState>((state, at) => reduce(state, { kind: 'agent-died', at }), up).agent;
  expect(die([0, 10_000, 20_000])).toBe('failed');
  expect(die([0, 50_000, 100_000])).toBe('none');
  // The clock is set back by an hour: what was before does not stay in the minute for ever.
  expect(die([3_600_000, 0, 100_000])).toBe('none');
  expect(die([3_600_000, 0, 10_000, 20_000])).toBe('failed');
});

test('two silent starts in a row fail, however long they took; an answer in between forgives', () => {
  const silent: SessionEvent = { kind: 'agent-silent' };
  const after = (...happened: SessionEvent[]) => happened.reduce(reduce, up);
  expect(after(silent).agent).toBe('none');
  expect(after(silent, silent).agent).toBe('failed');
  expect(after(silent, { kind: 'agent-up' }, silent).agent).toBe('none');
  expect(after(silent, silent, { kind: 'restart' }, silent).agent).toBe('none');
});

const events: SessionEvent[] = [
  { kind: 'here' },
  { kind: 'gone' },
  { kind: 'workspace', is: 'ready' },
  { kind: 'workspace', is: 'failed' },
  { kind: 'agent-up' },
  { kind: 'agent-stopped' },
  { kind: 'agent-died', at: 1 },
  { kind: 'agent-silent' },
  { kind: 'restart' },
  { kind: 'hold', why: 'terminal' },
  { kind: 'release', why: 'terminal' },
  { kind: 'prompted' },
  { kind: 'answered' },
];
test('whatever happens: never a second agent, never a prompt for one that is held or not there', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events)), (happened) => {
      const state = happened.reduce(reduce, initialState);
      const action = nextAction(state, withTurn);
      if (action === 'start-agent') expect(state.agent).toBe('none');
      if (action === 'deliver')
        expect(state).toMatchObject({ agent: 'up', here: true, holds: [], prompting: false });
    }),
  );
});
