import { expect, test } from 'vitest';
import { endIsMissing, endIsTold, type EndedTurn } from './ends.ts';

const turn = (given: Partial<EndedTurn>): EndedTurn => ({
  id: 't',
  state: 'done',
  resends: 0,
  sent: true,
  accepted: true,
  told: [],
  ...given,
});

test.each<[string, EndedTurn, boolean]>([
  ['the runner ended it, and says so again', turn({}), false],
  ['told already', turn({ told: ['done'] }), false],
  ['withdrawn', turn({ state: 'cancelled', sent: false, accepted: false }), true],
  ['withdrawn and told', turn({ state: 'cancelled', sent: false, told: ['cancelled'] }), false],
  ['refused by the runner', turn({ state: 'failed', accepted: false }), true],
  ['in question', turn({ state: 'unknown' }), true],
  ['in question, told', turn({ state: 'unknown', told: ['unknown'] }), false],
  [
    'in question again after it was sent again',
    turn({ state: 'unknown', resends: 1, told: ['unknown'] }),
    true,
  ],
  ['dropped by a person', turn({ state: 'cancelled', told: ['unknown'] }), true],
  ['sent again, then ended by the runner', turn({ resends: 1, told: ['unknown'] }), false],
  [
    'sent again, in question again, dropped',
    turn({ state: 'cancelled', resends: 1, told: ['unknown', 'unknown'] }),
    true,
  ],
])('%s', (_name, ended, missing) => {
  expect(endIsMissing(ended)).toBe(missing);
  if (missing) expect(endIsTold(ended)).toBe(false);
});
