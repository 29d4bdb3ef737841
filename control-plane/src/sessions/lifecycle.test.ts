import { sandboxPhases, sessionStatuses, turnStates } from '@berth/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lifecycleLimits, sessionStatus, type SessionFacts } from './lifecycle.ts';

const ready: SessionFacts = {
  status: 'idle',
  desired: 'running',
  phase: 'ready',
  phaseDetail: null,
  turn: null,
  queued: 0,
  holder: 'chat',
  waitingApprovals: 0,
  silentMs: 0,
  unreachableMs: 0,
};
const silent = lifecycleLimits.stalledMs;
const missed = lifecycleLimits.unreachableMs;

test.each<[string, Partial<SessionFacts>, string]>([
  ['a first start', { phase: 'requested', status: 'starting' }, 'starting'],
  ['an installation', { phase: 'installing', status: 'starting' }, 'starting'],
  ['a wake, on its way up', { phase: 'starting', status: 'waking' }, 'waking'],
  ['a wake before the reconciler looked', { phase: 'suspended', status: 'suspended' }, 'waking'],
  ['a wake until the agent is ready', { phase: 'agent-starting', status: 'waking' }, 'waking'],
  [
    'an agent that comes back in a turn',
    { phase: 'agent-starting', status: 'running', turn: 'running' },
    'running',
  ],
  ['an agent that comes back without a turn', { phase: 'agent-starting' }, 'starting'],
  [
    'a first start with a message waiting',
    { phase: 'agent-starting', status: 'starting', queued: 1 },
    'starting',
  ],
  ['ready', {}, 'idle'],
  ['ready, the next message about to be sent', { queued: 1 }, 'running'],
  ['a message that waits while a terminal holds', { queued: 1, holder: 'terminal' }, 'idle'],
  ['sent', { turn: 'sent' }, 'running'],
  ['accepted', { turn: 'accepted' }, 'running'],
  ['a question', { turn: 'running', waitingApprovals: 1 }, 'waiting'],
  [
    'a question, and silence',
    { turn: 'running', waitingApprovals: 1, silentMs: silent },
    'waiting',
  ],
  ['silence', { turn: 'running', silentMs: silent }, 'stalled'],
  ['not yet silence', { turn: 'running', silentMs: silent - 1 }, 'running'],
  ['silence without a turn', { silentMs: silent }, 'idle'],
  ['a message in question', { turn: 'unknown', queued: 2 }, 'waiting'],
  ['a runner that is missed', { turn: 'running', unreachableMs: missed }, 'lost'],
  ['a runner that blinked', { turn: 'running', unreachableMs: missed - 1 }, 'running'],
  ['about to sleep', { desired: 'suspended' }, 'suspending'],
  ['about to sleep, before it was up', { desired: 'suspended', phase: 'creating' }, 'suspending'],
  ['falling asleep', { desired: 'suspended', phase: 'suspending' }, 'suspending'],
  ['asleep', { desired: 'suspended', phase: 'suspended' }, 'suspended'],
  ['broken', { phase: 'failed', phaseDetail: 'no memory' }, 'failed'],
  ['gone', { phase: 'lost', phaseDetail: 'it ended' }, 'lost'],
])('%s', (_name, facts, status) => {
  expect(sessionStatus({ ...ready, ...facts }).status).toBe(status);
});

test('failures say why', () => {
  const failed = sessionStatus({ ...ready, phase: 'failed', phaseDetail: 'killed: out of memory' });
  expect(failed).toEqual({ status: 'failed', reason: 'killed: out of memory' });
});

const facts = fc.record<SessionFacts>({
  status: fc.constantFrom(...sessionStatuses),
  desired: fc.constantFrom('running', 'suspended', 'removed'),
  phase: fc.constantFrom(...sandboxPhases),
  phaseDetail: fc.constantFrom(null, 'why'),
  turn: fc.constantFrom(null, ...turnStates.filter((s) => s !== 'queued')),
  queued: fc.nat(2),
  holder: fc.constantFrom('chat' as const, 'terminal' as const),
  waitingApprovals: fc.nat(2),
  silentMs: fc.constantFrom(0, silent),
  unreachableMs: fc.constantFrom(0, missed),
});

test('it cannot flap: asked again with its own answer, it says the same', () => {
  fc.assert(
    fc.property(facts, (given) => {
      const first = sessionStatus(given);
      expect(sessionStatus({ ...given, status: first.status })).toEqual(first);
      expect(sessionStatuses).toContain(first.status);
    }),
    { numRuns: 2000 },
  );
});
