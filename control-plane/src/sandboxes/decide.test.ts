import { expect, test } from 'vitest';
import { decide, retryMs, type Step } from './decide.ts';
import type { Sandbox, SandboxState } from './driver.ts';
import type { SandboxIntent } from './ports.ts';

const intent = (desired: SandboxIntent['desired'], generation = 1): SandboxIntent => ({
  sessionId: 's',
  desired,
  generation,
});
const sandbox = (state: SandboxState, generation = 1): Sandbox => ({
  sessionId: 's',
  generation,
  state,
  notes: [],
  isolated: true,
});
const states = ['starting', 'running', 'suspended', 'failed', 'gone'] as const;
type Desired = SandboxIntent['desired'] | 'unknown';

const expected: Record<Desired, Record<SandboxState | 'none', string>> = {
  unknown: {
    none: 'nothing',
    starting: 'remove',
    running: 'remove',
    suspended: 'remove',
    failed: 'remove',
    gone: 'remove',
  },
  removed: {
    none: 'confirm-removed',
    starting: 'remove',
    running: 'remove',
    suspended: 'remove',
    failed: 'remove',
    gone: 'remove',
  },
  suspended: {
    none: 'confirm-suspended',
    starting: 'suspend',
    running: 'suspend',
    suspended: 'confirm-suspended',
    failed: 'suspend',
    gone: 'suspend',
  },
  running: {
    none: 'ensure',
    starting: 'ensure',
    running: 'confirm-running',
    suspended: 'ensure',
    failed: 'ensure',
    gone: 'recover',
  },
};

for (const desired of ['unknown', 'removed', 'suspended', 'running'] as const)
  test.each(['none', ...states] as const)(`${desired} × %s`, (state) => {
    const step = decide(
      desired === 'unknown' ? null : intent(desired),
      state === 'none' ? null : sandbox(state),
    );
    expect(step.do).toBe(expected[desired][state]);
  });

test.each<[SandboxIntent, Sandbox, Step]>([
  [intent('running', 2), sandbox('running', 1), { do: 'ensure', why: 'replace' }],
  [intent('running', 1), sandbox('running', 2), { do: 'confirm-running' }],
  [intent('running', 1), sandbox('suspended', 1), { do: 'ensure', why: 'wake' }],
  [intent('suspended'), sandbox('running'), { do: 'suspend', quiesce: true }],
  [
    { ...intent('running'), suspending: true },
    sandbox('running'),
    { do: 'suspend', quiesce: true },
  ],
  [{ ...intent('running'), suspending: true }, sandbox('suspended'), { do: 'ensure', why: 'wake' }],
  [intent('suspended'), sandbox('gone'), { do: 'suspend', quiesce: false }],
  [
    intent('running'),
    { ...sandbox('gone'), reason: 'killed: out of memory' },
    { do: 'recover', reason: 'killed: out of memory' },
  ],
])('%j, %j', (wanted, found, step) => {
  expect(decide(wanted, found)).toEqual(step);
});

test('waits longer each time, up to a minute', () => {
  expect([0, 1, 2, 5, 6, 1000].map(retryMs)).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
});
