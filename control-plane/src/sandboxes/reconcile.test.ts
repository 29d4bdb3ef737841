import { Problem } from '@berth/contract';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { createFakeDriver, type FakeDriver } from './testing/fake-driver.ts';
import type { PhaseReport, SandboxIntent } from './ports.ts';
import { createReconciler, type ReconcilerOptions } from './reconcile.ts';

type Desired = SandboxIntent['desired'];

function world(more: Partial<ReconcilerOptions> = {}) {
  const fake = createFakeDriver();
  const driver: FakeDriver = {
    ...fake,
    get: async (id, signal) => {
      fault('looking');
      return fake.get(id, signal);
    },
  };
  const wanted = new Map<string, SandboxIntent>();
  const told: string[] = [];
  const phases: PhaseReport[] = [];
  let installed = false;
  let specFaults: (string | Error)[] = [];
  let fault: (at: 'looking' | 'telling' | `phase ${string}`) => void = () => undefined;
  let quiesced: (signal: AbortSignal) => Promise<void> = async () => undefined;
  const reconciler = createReconciler({
    driver,
    clock: systemClock,
    logger: pino({ level: 'silent' }),
    retryMs: () => 20,
    limits: { pollMs: 40, steadyMs: 5000, quiesceMs: 60 },
    intents: {
      list: async () => [...wanted.values()],
      get: async (id) => wanted.get(id) ?? null,
      spec: async ({ sessionId, generation }, progress) => {
        const fault = specFaults.shift();
        if (fault !== undefined) throw typeof fault === 'string' ? new Error(fault) : fault;
        if (!installed) await progress({ phase: 'installing', detail: 'an agent' });
        installed = true;
        return { sessionId, generation, env: {}, agents: [], limits: {} };
      },
    },
    reports: {
      phase: async (_, report) => {
        fault(`phase ${report.phase}`);
        phases.push(report);
        told.push(report.reason === undefined ? report.phase : `${report.phase}: ${report.reason}`);
      },
      notice: async (_, code) => {
        told.push(`notice ${code}`);
      },
      running: async () => {
        fault('telling');
        if (told.at(-1) !== 'running') told.push('running');
      },
      quiesce: async (_, signal) => {
        told.push('quiesce');
        await quiesced(signal);
      },
      removed: async () => {
        told.push('removed!');
        wanted.delete('s');
      },
    },
    ...more,
  });
  const end = new AbortController();
  const run = reconciler.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await run;
  };
  onTestFinished(stop);
  return {
    driver,
    reconciler,
    told,
    phases,
    stop,
    want: (desired: Desired, generation = 1, suspending = false): void => {
      wanted.set('s', { sessionId: 's', desired, generation, suspending });
      reconciler.hint('s');
    },
    specFails: (...faults: (string | Error)[]) => (specFaults = faults),
    faultAt: (act: typeof fault) => (fault = act),
    onQuiesce: (act: typeof quiesced) => (quiesced = act),
    until: async (line: string, times = 1): Promise<void> =>
      expect
        .poll(() => told.filter((entry) => entry === line).length, { timeout: 5000, interval: 2 })
        .toBeGreaterThanOrEqual(times),
  };
}
const note = 'notice sandbox-note';

test('makes, suspends, wakes and removes, and tells each step once', async () => {
  const { want, until, told, driver, reconciler } = world();
  want('running');
  await until(note);
  expect(reconciler.current('s')?.state).toBe('running');
  want('suspended');
  await until('suspended');
  expect(reconciler.current('s')).toBeUndefined();
  want('running');
  await until('running', 2);
  want('removed');
  await until('removed!');
  expect(told).toEqual([
    ...['creating', 'installing', 'starting', 'running', note],
    ...['suspending', 'quiesce', 'suspended'],
    ...['waking', 'starting', 'running'],
    ...['removed', 'removed!'],
  ]);
  expect(driver.calls).toEqual(['ensure s', 'suspend s', 'ensure s', 'remove s']);
});

test('one that died is told as lost, with its log, and comes back by itself', async () => {
  const { want, until, told, phases, driver } = world();
  want('running');
  await until(note);
  driver.kill('s', 'killed: out of memory', ['last words']);
  await until('running', 2);
  expect(told.slice(5)).toEqual([
    'lost: killed: out of memory',
    'notice sandbox-lost',
    ...['waking', 'starting', 'running'],
  ]);
  expect(phases.find((report) => report.phase === 'lost')?.logs).toEqual(['last words']);
});

test.each(['looking', 'telling'] as const)(
  '%s that fails says nothing of a sandbox that runs: its runner keeps it',
  async (what) => {
    let faults = 0;
    const { want, until, told, driver, reconciler, faultAt } = world();
    want('running');
    await until(note);
    const before = told.length;
    faultAt((at) => {
      if (at !== what) return;
      faults += 1;
      throw new Error('too many open files');
    });
    for (let times = 0; times < 5; times++) {
      reconciler.hint('s');
      await expect.poll(() => faults, { timeout: 5000, interval: 2 }).toBeGreaterThan(times);
    }
    faultAt(() => undefined);
    expect(told.slice(before)).toEqual([]);
    expect(driver.calls).toEqual(['ensure s']);
    // Its twin: what cannot be made is told.
    driver.kill('s', 'killed');
    driver.failNext('no room');
    await until('failed: no room');
  },
);

test('one that dies again and again is started with a pause, each time told', async () => {
  const pauses: number[] = [];
  const { want, until, driver } = world({
    retryMs: (failures) => {
      pauses.push(failures);
      return 20;
    },
  });
  want('running');
  await until(note);
  for (let death = 1; death <= 3; death++) {
    driver.kill('s', 'broken');
    await until('running', death + 1);
  }
  expect(pauses).toEqual([1, 2]);
  await until('lost: broken', 3);
});

test('a start that fails is told with its reason and tried again', async () => {
  const { want, until, told, phases, driver } = world();
  driver.failNext('bwrap: no such folder', 'bwrap: no such folder');
  want('running');
  await until('running');
  expect(told.filter((line) => line.startsWith('failed'))).toEqual([
    'failed: bwrap: no such folder',
    'failed: bwrap: no such folder',
  ]);
  expect(phases.find((report) => report.phase === 'failed')?.logs).toEqual([
    'bwrap: no such folder',
  ]);
});

test('a clock that is set back by an hour does not make a failed start wait for an hour', async () => {
  let setBackMs = 0;
  const { want, until, driver } = world({ clock: { now: () => systemClock.now() - setBackMs } });
  driver.failNext('no such folder');
  want('running');
  await until('failed: no such folder');
  setBackMs = 3_600_000;
  await until('running');
});

test('what cannot be prepared is told in its own words, and tried again', async () => {
  const { want, until, specFails } = world();
  specFails('the registry cannot be reached');
  want('running');
  await until('failed: the registry cannot be reached');
  await until('running');
});

test('whoever put it to sleep died over it, and it is to run: it sleeps, then it wakes', async () => {
  const { want, until, told, onQuiesce } = world();
  want('running');
  await until('running');
  told.length = 0;
  onQuiesce(async () => want('running')); // told meanwhile that it sleeps
  want('running', 1, true);
  await until('running');
  expect(told).toEqual(['suspending', 'quiesce', 'suspended', 'waking', 'starting', 'running']);
});

test('a sandbox is not woken before it is stored that it wakes', async () => {
  const { want, until, faultAt, driver } = world();
  want('running');
  await until('running');
  want('suspended');
  await until('suspended');
  let refused = 0;
  faultAt((at) => {
    if (at !== 'phase waking' || refused >= 3) return;
    refused += 1;
    throw new Error('the database is away');
  });
  const wakenAfter: number[] = [];
  const ensure = driver.ensure.bind(driver);
  driver.ensure = (...call) => {
    wakenAfter.push(refused);
    return ensure(...call);
  };
  want('running');
  await until('running', 2);
  expect(wakenAfter).toEqual([3]);
});

test('a database that is away is no failure of the sandbox: it is only tried again', async () => {
  const { want, until, told, specFails } = world();
  specFails(new Problem('not-ready', 'The database does not answer.'));
  want('running');
  await until('running');
  expect(told.filter((line) => line.startsWith('failed'))).toEqual([]);
});

test('a hint does not wait for the pause after a failure', async () => {
  const { want, until, driver } = world({ retryMs: () => 60_000 });
  driver.failNext('broken');
  want('running');
  await until('failed: broken');
  want('running', 2);
  await until('running');
});

test('an agent that does not stop in order is suspended anyway', async () => {
  const { want, until, onQuiesce, told } = world();
  onQuiesce(() => new Promise(() => undefined));
  want('running');
  await until(note);
  want('suspended');
  await until('suspended');
  expect(told.slice(-3)).toEqual(['suspending', 'quiesce', 'suspended']);
});

test('a higher generation replaces it', async () => {
  const { want, until, driver } = world();
  want('running');
  await until(note);
  want('running', 2);
  await until('running', 2);
  expect(await driver.get('s', AbortSignal.timeout(1000))).toMatchObject({ generation: 2 });
});

test('a sandbox of no session is removed at the start; one of a session is adopted, not made again', async () => {
  const driver = createFakeDriver();
  const spec = { generation: 1, env: {}, agents: [], limits: {} };
  const signal = AbortSignal.timeout(1000);
  await driver.ensure({ ...spec, sessionId: 'orphan' }, signal);
  await driver.ensure({ ...spec, sessionId: 's' }, signal);
  driver.calls.length = 0;
  const { want, until } = world({ driver });
  want('running');
  await until('running');
  await expect.poll(() => driver.calls).toEqual(['remove orphan']);
});

test('an intent that changed without a hint is found by the poll', async () => {
  const { want, until, driver, reconciler } = world();
  want('running');
  await until(note);
  await driver.suspend('s', AbortSignal.timeout(1000)); // behind its back
  await until('running', 2);
  expect(reconciler.current('s')?.state).toBe('running');
});

test('ends with its signal, in the middle of a pause', async () => {
  const { want, until, driver, stop } = world({ retryMs: () => 60_000 });
  driver.failNext('broken');
  want('running');
  await until('failed: broken');
  await stop();
});

test('whoever stands behind the door is told before the sandbox runs; a failure to tell does not stop it', async () => {
  const fake = createFakeDriver();
  const states: string[] = [];
  const w = world({
    driver: {
      ...fake,
      ensure: (spec, signal, early) => {
        early?.({
          sessionId: spec.sessionId,
          generation: spec.generation,
          state: 'starting',
          notes: [],
          isolated: true,
          door: { socketDir: '/nowhere', hostUid: 1, hostGid: 1 },
        });
        return fake.ensure(spec, signal);
      },
    },
    reports: {
      phase: async () => undefined,
      notice: async () => undefined,
      running: async ({ state }) => {
        states.push(state);
        if (state === 'starting') throw new Error('not now');
      },
      quiesce: async () => undefined,
      removed: async () => undefined,
    },
  });
  w.want('running');
  await expect.poll(() => states, { timeout: 5000, interval: 2 }).toContain('running');
  expect(states[0]).toBe('starting');
});
