import { sessionStatuses } from '@berth/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentOf, approvalOf, at, now, sessionOf, stateOf } from '../testing/records.ts';
import { offlineLook, statusLook, tabIcon } from './status.ts';
import {
  nextInNeed,
  nodesOf,
  simpleAnswer,
  treeChanges,
  treeOf,
  type Tree,
  type TreeOptions,
} from './tree.ts';

const options: TreeOptions = {
  groupBy: 'agent',
  filter: 'all',
  now,
  collapsed: new Set(),
  archived: [],
};
const draw = ({ roots }: Tree): string =>
  roots
    .flatMap((root) => [root, ...root.children])
    .map(
      ({ kind, label, description, icon }) =>
        `${kind === 'session' ? '  ' : ''}${icon ?? '-'} ${label} | ${description}`,
    )
    .join('\n');

test('agents hold their sessions; what needs a person comes first, then the latest', () => {
  const sessions = [
    sessionOf({ title: 'Explain the ledger tests', lastSeq: 11 }),
    sessionOf({
      title: 'Partial refunds round the wrong way',
      status: 'running',
      statusSince: at('14:26'),
      lastActivityAt: at('14:29'),
    }),
    sessionOf({
      title: 'Refunds older than 90 days return 500',
      status: 'waiting',
      reason: 'approval',
      lastActivityAt: at('11:00'),
    }),
    sessionOf({ title: 'Load test', status: 'suspended', lastActivityAt: at('09:00') }),
  ];
  expect(draw(treeOf(stateOf({ sessions }), options))).toBe(
    [
      'robot checkout-fixer | opencode',
      '  report Refunds older than 90 days ret… | needs you',
      '  session-in-progress Partial refunds round the wron… | running 4 min',
      `  circle-filled Explain the ledger tests | ${statusLook(sessions[0]!, now).words}`,
      '  debug-pause Load test | suspended',
    ].join('\n'),
  );
});

test('by status the agent stands beside the title, and empty groups are not there', () => {
  const sessions = [
    sessionOf({ title: 'A', status: 'waiting' }),
    sessionOf({ title: 'B', status: 'stalled', statusSince: at('14:20') }),
    sessionOf({ title: 'C', status: 'lost' }),
    sessionOf({ title: 'D', lastSeq: 12 }),
  ];
  expect(draw(treeOf(stateOf({ sessions }), { ...options, groupBy: 'status' }))).toBe(
    [
      '- Needs you | 2',
      '  report A | checkout-fixer',
      '  warning B | checkout-fixer',
      '- Failed | 1',
      '  debug-disconnect C | checkout-fixer',
      '- Idle | 1',
      '  circle-filled D | new answer',
    ].join('\n'),
  );
});

test('an agent without sessions stands below the others, and says how many it holds when it is closed', () => {
  const busy = agentOf({ id: sessionOf().agentId, name: 'zeta' });
  const free = agentOf({
    id: '01990000-0000-7000-8000-000000000abc',
    name: 'alpha',
    harness: 'rehearsal',
  });
  const state = stateOf({ sessions: [sessionOf(), sessionOf()], agents: [free, busy] });
  const tree = treeOf(state, { ...options, collapsed: new Set([`agent:${busy.id}`]) });
  expect(tree.roots.map(({ label, description }) => `${label}: ${description}`)).toEqual([
    'zeta: opencode, 2 sessions',
    'alpha: rehearsal, no sessions',
  ]);
  expect(treeOf(stateOf({ agents: [free] }), options).roots).toEqual([]);
});

test('an agent that gets its first session is a new row, which the editor opens', () => {
  const busy = agentOf({ id: sessionOf().agentId });
  const other = sessionOf({ agentId: '01990000-0000-7000-8000-000000000abc' });
  const idIn = (sessions: ReturnType<typeof sessionOf>[]) =>
    treeOf(stateOf({ sessions, agents: [busy] }), options).roots.find(
      ({ agentId }) => agentId === busy.id,
    )?.id;
  expect(idIn([other])).not.toBe(idIn([other, sessionOf()]));
});

test('no tab wears the icon that would turn its title', () => {
  for (const status of sessionStatuses)
    expect(tabIcon(statusLook(sessionOf({ status }), now))).not.toContain('loading');
});

test('what the filter keeps out is counted, and what needs a person is never filtered out of the running ones', () => {
  const sessions = [
    sessionOf(),
    sessionOf({ status: 'waiting' }),
    sessionOf({ status: 'running' }),
  ];
  const tree = treeOf(stateOf({ sessions }), { ...options, filter: 'running' });
  expect(tree.hidden).toBe(1);
  expect(tree.roots[0]?.children).toHaveLength(2);
});

test('only archived sessions under that filter, and none of them elsewhere', () => {
  const old = sessionOf({ title: 'Old', archivedAt: at('12:00') });
  const state = stateOf({ sessions: [old, sessionOf({ title: 'Live' })] });
  expect(draw(treeOf(state, options))).not.toContain('Old');
  expect(draw(treeOf(state, { ...options, filter: 'archived', archived: [old] }))).toContain('Old');
});

test('offline nothing spins, nothing counts on, and the past is called the past', () => {
  const heardAt = now;
  for (const status of sessionStatuses) {
    const look = offlineLook(sessionOf({ status, statusSince: at('14:10') }), heardAt);
    expect(look.icon).toBe('debug-disconnect');
    expect(look.words).not.toMatch(/ min/);
  }
  expect(
    offlineLook(sessionOf({ status: 'running', statusSince: at('14:10') }), heardAt).words,
  ).toMatch(/^was running at \d\d:\d\d$/);
});

test('a name cannot draw outside its row', () => {
  const state = stateOf({ sessions: [sessionOf({ title: 'a\u001b[2J\u202egnp.exe\nb' })] });
  const label = treeOf(state, options).roots[0]?.children[0]?.label ?? '';
  // eslint-disable-next-line no-control-regex -- control characters are what must not be there
  expect(label).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test('menus offer what can be done', () => {
  const waiting = sessionOf({ status: 'waiting' });
  const state = stateOf({ sessions: [waiting], approvals: [approvalOf(waiting)] });
  expect(treeOf(state, options).roots[0]?.children[0]?.context).toBe(
    'session.live.running.awake.approvable',
  );
  const two = stateOf({
    sessions: [waiting],
    approvals: [approvalOf(waiting), approvalOf(waiting)],
  });
  expect(treeOf(two, options).roots[0]?.children[0]?.context).not.toContain('approvable');
  const asleep = stateOf({ sessions: [sessionOf({ status: 'suspended' })] });
  expect(treeOf(asleep, options).roots[0]?.children[0]?.context).toBe('session.live.suspended');
});

test('a question with more than a yes and a no has no simple answer', () => {
  const session = sessionOf();
  expect(simpleAnswer(approvalOf(session))).toEqual({ allow: 'yes', deny: 'no' });
  const choices = approvalOf(session, {
    options: [
      { optionId: 'a', name: 'Red', kind: 'allow_once' },
      { optionId: 'b', name: 'Blue', kind: 'allow_once' },
    ],
  });
  expect(simpleAnswer(choices)).toBeNull();
});

test('one status costs one row; a row that moves costs the tree', () => {
  const one = sessionOf({ title: 'One', lastActivityAt: at('13:00') });
  const two = sessionOf({ title: 'Two', lastActivityAt: at('12:00') });
  const before = treeOf(stateOf({ sessions: [one, two] }), options);
  const ran = treeOf(stateOf({ sessions: [{ ...one, status: 'running' }, two] }), options);
  expect(treeChanges(before, before)).toEqual([]);
  expect(treeChanges(before, ran)).toEqual([`session:${one.id}`]);
  const moved = treeOf(
    stateOf({ sessions: [one, { ...two, lastActivityAt: at('14:00') }] }),
    options,
  );
  expect(treeChanges(before, moved)).toBe('all');
});

test('drawing what changed always gives the tree as it is', () => {
  const status = fc.constantFrom(...sessionStatuses);
  const world = fc.array(
    fc.record({ status, title: fc.string({ maxLength: 50 }), day: fc.nat(5) }),
    { maxLength: 6 },
  );
  const ids = Array.from({ length: 6 }, () => sessionOf().id);
  const make = (rows: { status: (typeof sessionStatuses)[number]; title: string; day: number }[]) =>
    treeOf(
      stateOf({
        sessions: rows.map(({ status: is, title, day }, i) =>
          sessionOf({ id: ids[i]!, status: is, title, lastActivityAt: at(`1${day}:00`) }),
        ),
      }),
      options,
    );
  fc.assert(
    fc.property(world, world, (a, b) => {
      const [before, after] = [make(a), make(b)];
      const what = treeChanges(before, after);
      if (what === 'all') return;
      // Rows that were not named are the same, and in the same place.
      const shown = nodesOf(before).map((node) =>
        what.includes(node.id) ? nodesOf(after).find(({ id }) => id === node.id) : node,
      );
      const look = (nodes: typeof shown) =>
        nodes.map((node) => [node?.id, node?.label, node?.description, node?.icon, node?.context]);
      expect(look(shown)).toEqual(look(nodesOf(after)));
    }),
  );
});

test('the next that needs somebody goes round, oldest wait first', () => {
  const a = sessionOf({ status: 'waiting', statusSince: at('10:00') });
  const b = sessionOf({ status: 'waiting', statusSince: at('11:00') });
  const state = stateOf({ sessions: [b, a, sessionOf()] });
  expect(nextInNeed(state, null)?.id).toBe(a.id);
  expect(nextInNeed(state, a.id)?.id).toBe(b.id);
  expect(nextInNeed(state, b.id)?.id).toBe(a.id);
  expect(nextInNeed(stateOf(), a.id)).toBeNull();
});

test('a thousand sessions are a tree in 5 ms', () => {
  const sessions = Array.from({ length: 1000 }, (_, i) =>
    sessionOf({ title: `Session number ${i}` }),
  );
  const state = stateOf({ sessions });
  treeOf(state, options);
  const startedAt = performance.now();
  for (let i = 0; i < 10; i += 1) treeOf(state, options);
  // Ten times the target, so that a busy machine does not fail it; what is quadratic takes seconds.
  expect((performance.now() - startedAt) / 10).toBeLessThan(50);
});
