import { expect, test } from 'vitest';
import { approvalOf, at, sessionOf, stateOf } from '../testing/records.ts';
import { inboxOf } from './inbox.ts';

test('every question of every session, and what else needs a person, the oldest first', () => {
  const asks = sessionOf({ title: 'Asks twice', status: 'waiting', reason: 'approval' });
  const unknown = sessionOf({
    title: 'In doubt',
    status: 'waiting',
    reason: 'it is not known whether the last message arrived',
    statusSince: at('13:00'),
  });
  const stalled = sessionOf({ title: 'Silent', status: 'stalled', statusSince: at('14:25') });
  const idle = sessionOf({ status: 'idle' });
  const state = stateOf({
    sessions: [asks, unknown, stalled, idle],
    approvals: [
      approvalOf(asks, { title: 'second', createdAt: at('14:20') }),
      approvalOf(asks, { title: 'first', createdAt: at('14:10') }),
      approvalOf(asks, { title: 'gone', state: 'superseded' }),
      approvalOf(unknown, {
        about: 'delivery',
        facts: [{ label: 'message', value: 'Run the load test' }],
        createdAt: at('13:00'),
      }),
    ],
  });
  expect(inboxOf(state).map(({ label, detail }) => `${detail}: ${label}`)).toEqual([
    'In doubt: Did this message reach the agent? Run the load test',
    'Asks twice: first',
    'Asks twice: second',
    'Silent: Nothing heard from the agent for 5 min.',
  ]);
});
test('only a yes and a no can be answered in the row', () => {
  const session = sessionOf({ status: 'waiting', reason: 'approval' });
  const simple = approvalOf(session);
  const choice = approvalOf(session, {
    options: [
      { optionId: 'a', name: 'Red', kind: 'allow_once' },
      { optionId: 'b', name: 'Blue', kind: 'allow_once' },
    ],
  });
  const rows = inboxOf(stateOf({ sessions: [session], approvals: [simple, choice] }));
  expect(rows.map(({ approval }) => approval?.id ?? null).sort()).toEqual([simple.id, null].sort());
});
test('names from outside draw nothing but themselves', () => {
  const session = sessionOf({ status: 'waiting', reason: 'approval' });
  const approval = approvalOf(session, { title: 'rm\u202e \u001b[31mred' });
  const [row] = inboxOf(stateOf({ sessions: [session], approvals: [approval] }));
  expect(row?.label).toBe('rm [31mred');
});
