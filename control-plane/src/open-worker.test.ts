import { expect, test } from 'vitest';
import { closingTerminals, sandboxFacts, toldReconciler } from './open-worker.ts';
import type { PhaseReport } from './sandboxes/index.ts';
import type { HintListener } from './store/index.ts';

test('what sandboxes are like is asked of the worker that lives, and kept when it is away', () => {
  const facts = { driver: 'local', isolated: true };
  let alive = [
    { id: 'w', url: '', roles: ['web'], facts: { driver: 'none', isolated: false } },
    { id: 'x', url: '', roles: ['worker'], facts: 'nonsense of another version' },
  ];
  const now = sandboxFacts(undefined, { others: () => alive });
  expect(now()).toBeUndefined();
  alive = [...alive, { id: 'y', url: '', roles: ['worker'], facts: facts as never }];
  expect(now()).toEqual(facts);
  alive = [];
  expect(now()).toEqual(facts);
});

/** One database's hints, without the database: all that are said reach all that listen. */
function channel() {
  const listeners = new Set<HintListener>();
  return {
    publish: (_channel: string, hint: string) => listeners.forEach((tell) => tell([hint])),
    listen: async (_channel: string, listener: HintListener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    missed: () => listeners.forEach((tell) => tell('everything')),
  };
}

test('a change of intent reaches the one reconciler, from its own process at once, from others by a hint', async () => {
  const hints = channel();
  const looked: string[] = [];
  const own = { hint: (id: string) => void looked.push(id) };
  const worker = toldReconciler(hints, () => own);
  const web = toldReconciler(hints, () => undefined);
  worker.hint('a');
  expect(looked).toEqual(['a']);
  web.hint('early'); // nobody listens yet: the reconciler's own look finds it
  const stop = await worker.listen();
  web.hint('b');
  hints.missed();
  expect(looked).toEqual(['a', 'b']);
  stop();
  web.hint('c');
  expect(looked).toEqual(['a', 'b']);
});

test.each([
  ['suspended', ['phase suspended', 'closed: The session was suspended.']],
  ['lost', ['phase lost', 'closed: The sandbox is gone.']],
  ['removed', ['phase removed', 'closed: The sandbox is gone.']],
  ['starting', ['phase starting']],
] satisfies [PhaseReport['phase'], string[]][])(
  'terminals end with their sandbox, after it was said: %s',
  async (phase, said) => {
    const did: string[] = [];
    const nothing = async () => undefined;
    const reports = closingTerminals(
      {
        phase: async (_id, report) => void did.push(`phase ${report.phase}`),
        notice: nothing,
        running: nothing,
        quiesce: nothing,
        removed: nothing,
      },
      { sessionEnded: async (_id, reason) => void did.push(`closed: ${reason}`) },
    );
    await reports.phase('s', { phase });
    expect(did).toEqual(said);
  },
);
