import { expect, test } from 'vitest';
import { approvalOf, now, sessionOf, stateOf } from '../testing/records.ts';
import { badgeOf, barOf, noticesOf, type NoticeSettings } from './attention.ts';

const all: NoticeSettings = { needsInput: 'always', completed: 'always', failed: 'always' };
const away = { focused: false, sessions: new Set<string>() };

test('badge and bar count what needs a person, then what runs', () => {
  const waiting = sessionOf({ status: 'waiting' });
  const stalled = sessionOf({ status: 'stalled' });
  const running = sessionOf({ status: 'running' });
  const archived = sessionOf({ status: 'waiting', archivedAt: '2026-11-20T10:00:00.000Z' });
  const state = stateOf({ sessions: [waiting, stalled, running, archived] });
  expect(badgeOf(state)).toBe(2);
  expect(barOf(state, now)?.text).toBe('$(report) 2 need you');
  expect(barOf(stateOf({ sessions: [waiting] }), now)?.text).toBe('$(report) 1 needs you');
  expect(barOf(stateOf({ sessions: [running] }), now)?.text).toBe(
    '$(session-in-progress) 1 running',
  );
  expect(barOf(stateOf(), now)?.text).toBe('$(check) Berth');
  expect(barOf(stateOf({ server: { kind: 'looking' } }), now)).toBeNull();
});

test('a new question is told once a revision, and answered from the notice when it is a yes and a no', () => {
  const session = sessionOf({ status: 'waiting' });
  const approval = approvalOf(session);
  const before = stateOf({ sessions: [session] });
  const asked = stateOf({ sessions: [session], approvals: [approval] });
  expect(noticesOf(before, asked, all, away)).toMatchObject([
    { text: `${session.title}: Run npm install`, approval: { id: approval.id } },
  ]);
  expect(noticesOf(asked, asked, all, away)).toEqual([]);
  const again = stateOf({ sessions: [session], approvals: [{ ...approval, revision: 2 }] });
  expect(noticesOf(asked, again, all, away)).toHaveLength(1);
  const decided = stateOf({ sessions: [session], approvals: [{ ...approval, state: 'decided' }] });
  expect(noticesOf(asked, decided, all, away)).toEqual([]);
});

test.each([
  ['off', false, 0],
  ['off', true, 0],
  ['unfocused', false, 1],
  ['unfocused', true, 0],
  ['always', true, 1],
] as const)('%s, focused %s: %i', (level, focused, count) => {
  const session = sessionOf({ status: 'waiting' });
  const asked = stateOf({ sessions: [session], approvals: [approvalOf(session)] });
  const looking = { focused, sessions: new Set<string>() };
  expect(
    noticesOf(stateOf({ sessions: [session] }), asked, { ...all, needsInput: level }, looking),
  ).toHaveLength(count);
});

test('who looks at the chat is not told; who has it open in a window behind is', () => {
  const session = sessionOf({ status: 'waiting' });
  const asked = stateOf({ sessions: [session], approvals: [approvalOf(session)] });
  const before = stateOf({ sessions: [session] });
  const sessions = new Set([session.id]);
  expect(noticesOf(before, asked, all, { focused: true, sessions })).toEqual([]);
  expect(noticesOf(before, asked, all, { focused: false, sessions })).toHaveLength(1);
});

test('what was so when the window opened is the badge’s to say', () => {
  const session = sessionOf({ status: 'waiting' });
  const asked = stateOf({ sessions: [session], approvals: [approvalOf(session)] });
  expect(noticesOf(stateOf({ loaded: false }), asked, all, away)).toEqual([]);
});

test.each([
  ['running', 'idle', /done/],
  ['waiting', 'idle', /done/],
  ['starting', 'idle', null],
  ['running', 'failed', /failed, out of memory/],
  ['running', 'lost', /sandbox lost/],
  ['running', 'stalled', /nothing heard/],
  ['idle', 'running', null],
  ['suspended', 'waking', null],
] as const)('%s to %s', (was, is, said) => {
  const session = sessionOf({ status: was });
  const before = stateOf({ sessions: [session] });
  const after = stateOf({ sessions: [{ ...session, status: is, reason: 'out of memory' }] });
  const notices = noticesOf(before, after, all, away);
  if (said === null) expect(notices).toEqual([]);
  else expect(notices.map(({ text }) => text)).toEqual([expect.stringMatching(said)]);
});
