import type { Harness, Session } from '@berth/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noFilter, readAddress, writeAddress, type Place } from './address.ts';
import { agentOf, faultsOf, fieldsOf, type AgentFields } from './agent-fields.ts';
import { patchOf } from './desk.ts';
import { fits, groupSessions } from './filter.ts';
import { preferredTheme } from './theme.ts';

describe('the address', () => {
  const places: fc.Arbitrary<Place> = fc.oneof(
    fc.record({ screen: fc.constant('session' as const), id: fc.string({ minLength: 1 }) }),
    fc.record({
      screen: fc.constant('sessions' as const),
      filter: fc.record({
        group: fc.constantFrom(
          'all' as const,
          'needs-you' as const,
          'running' as const,
          'failed' as const,
        ),
        agentId: fc.option(fc.string({ minLength: 1 })),
        search: fc.string(),
        mine: fc.boolean(),
        archived: fc.boolean(),
      }),
    }),
    fc.constant<Place>({ screen: 'agents' }),
    fc.constant<Place>({ screen: 'agent', id: null }),
    fc.constant<Place>({ screen: 'approvals', show: 'decided' }),
  );
  test('says all of where one is', () => {
    fc.assert(
      fc.property(places, (place) => {
        expect(readAddress(writeAddress(place))).toEqual(place);
      }),
    );
  });
  test.each(['', '#', '#/', '#/nowhere', '#/sessions?status=odd'])(
    '%j is the list of sessions',
    (hash) => {
      expect(readAddress(hash)).toEqual({ screen: 'sessions', filter: noFilter });
    },
  );
});

const session = (part: Partial<Session>) =>
  ({
    status: 'idle',
    title: 'Title',
    agentId: 'a',
    createdBy: { id: 'me', name: 'Me' },
    statusSince: '2026-11-22T13:00:00.000Z',
    lastActivityAt: '2026-11-22T13:00:00.000Z',
    lastSeq: 1,
    unreadSeq: 1,
    ...part,
  }) as Session;
test('filters', () => {
  const fit = (part: Partial<Session>, filter: object) =>
    fits(session(part), { ...noFilter, ...filter }, 'me', 0);
  expect(fit({}, {})).toBe(true);
  expect(fit({ status: 'stalled' }, { group: 'needs-you' })).toBe(true);
  expect(fit({}, { group: 'running' })).toBe(false);
  expect(fit({}, { agentId: 'b' })).toBe(false);
  expect(fit({ createdBy: { id: 'you', name: '' } }, { mine: true })).toBe(false);
  expect(fit({ title: 'Refunds' }, { search: ' refu ' })).toBe(true);
});
test('what needs a person comes first, the latest first', () => {
  const list = [
    session({ title: 'a' }),
    session({ title: 'b', status: 'waiting' }),
    session({ title: 'c', lastActivityAt: '2026-11-22T14:00:00.000Z' }),
  ];
  expect(
    groupSessions(list, 0).map(({ group, items }) => [group, items.map(({ title }) => title)]),
  ).toEqual([
    ['needs-you', ['b']],
    ['idle', ['c', 'a']],
  ]);
});

describe('the agent form', () => {
  const harnesses: Harness[] = [
    {
      id: 'opencode',
      title: 'opencode',
      version: '1',
      installed: true,
      needsModel: true,
      models: ['m1'],
      modes: [],
      terminal: 'attach',
    },
    {
      id: 'rehearsal',
      title: 'Rehearsal',
      version: '1',
      installed: true,
      needsModel: false,
      modes: [],
      terminal: 'attach',
    },
  ];
  const fields = (part: Partial<AgentFields>): AgentFields => ({
    ...fieldsOf(null, harnesses),
    name: 'a',
    harness: 'rehearsal',
    ...part,
  });
  test.each<[Partial<AgentFields>, string, string]>([
    [{ name: ' ' }, 'name', 'Give the agent a name.'],
    [{ harness: 'opencode' }, 'model', 'opencode needs a model.'],
    [{ harness: 'opencode', model: 'x' }, 'model', 'opencode cannot use this model.'],
    [{ harness: 'gone' }, 'harness', 'Choose a harness.'],
    [
      { repositoryUrl: 'git@github.com:a/b' },
      'repositoryUrl',
      'An address that begins with “https://”, without a user in it.',
    ],
    [{ repositoryRef: 'main' }, 'repositoryUrl', 'A branch needs a repository.'],
    [
      { hosts: ['ok.dev', 'https://packages.northwind.dev/'] },
      'host-1',
      'Only the host name, without “https://” and “/”: packages.northwind.dev',
    ],
    [{ hosts: ['a b'] }, 'host-0', 'Only the host name, without “https://” and “/”.'],
  ])('%j: %s', (part, name, words) => {
    expect([...faultsOf(fields(part), harnesses)]).toEqual([[name, words]]);
  });
  test('without a fault it is what the API takes', () => {
    const given = fields({
      harness: 'opencode',
      model: 'm1',
      repositoryUrl: 'https://github.com/a/b',
      repositoryRef: 'main',
      hosts: [' GitHub.com ', ''],
      idleMinutes: '30',
    });
    expect(faultsOf(given, harnesses).size).toBe(0);
    expect(agentOf(given)).toEqual({
      name: 'a',
      harness: 'opencode',
      model: 'm1',
      mode: 'ask',
      repository: { url: 'https://github.com/a/b', ref: 'main' },
      egress: { allow: ['github.com'] },
      idleSuspendMs: 1_800_000,
    });
  });
  test('an emptied field is cleared, not left as it was', () => {
    const agent = agentOf(fields({}));
    expect(agent && patchOf(agent)).toMatchObject({
      model: null,
      instructions: null,
      repository: null,
      egress: null,
      idleSuspendMs: null,
    });
  });
});

test('the theme: asked for, or what the person prefers', () => {
  const theme = (search: string, ...preferences: string[]) =>
    preferredTheme(search, (query) => preferences.some((one) => query.includes(one)));
  expect(theme('')).toBe('vscode-dark');
  expect(theme('', 'light')).toBe('vscode-light');
  expect(theme('', 'light', 'contrast')).toBe('vscode-high-contrast');
  expect(theme('?theme=light', 'contrast')).toBe('vscode-light');
  expect(theme('?theme=javascript:')).toBe('vscode-dark');
});
