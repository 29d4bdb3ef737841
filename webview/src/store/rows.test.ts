import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AskEntry, Entry, ToolEntry } from './entries.ts';
import { groupTitle, noRows, rowsOf } from './rows.ts';

let order = 0;
const tool = (part: Partial<ToolEntry> = {}): ToolEntry => {
  order += 1;
  return {
    kind: 'tool',
    id: `tool:${order}`,
    order,
    at: order,
    toolCallId: `t${order}`,
    title: `Read file-${order}`,
    tool: 'read',
    status: 'completed',
    locations: [],
    content: [],
    diff: [],
    ...part,
  };
};
const said = (value: string): Entry => {
  order += 1;
  return {
    kind: 'agent',
    id: `agent:${order}`,
    order,
    at: order,
    text: value,
    content: null,
    open: false,
  };
};
const user = (): Entry => {
  order += 1;
  return { kind: 'user', id: `user:${order}`, order, at: order, turnId: 'x', content: [] };
};
const ask = (of: ToolEntry, part: Partial<AskEntry>): AskEntry => {
  order += 1;
  return {
    kind: 'ask',
    id: `ask:${order}`,
    order,
    at: order,
    approvalId: 'a',
    revision: 1,
    toolCallId: of.toolCallId,
    title: 'May I?',
    facts: [],
    state: 'waiting',
    options: [
      { optionId: 'y', name: 'Yes', kind: 'allow_once' },
      { optionId: 'n', name: 'No', kind: 'reject_once' },
    ],
    ...part,
  };
};
const kinds = (entries: Entry[]) =>
  rowsOf(entries).rows.map((row) =>
    row.kind === 'group' ? `group ${row.tools.length}` : row.entry.kind,
  );

describe('groups', () => {
  test.each<[string, Entry[], string[]]>([
    ['two reads stay two rows', [tool(), tool()], ['tool', 'tool']],
    [
      'three reads and searches become one',
      [tool(), tool({ tool: 'search' }), tool()],
      ['group 3'],
    ],
    [
      'an edit ends the group',
      [tool(), tool(), tool({ tool: 'edit' }), tool()],
      ['tool', 'tool', 'tool', 'tool'],
    ],
    [
      'a failure ends the group',
      [tool(), tool(), tool(), tool({ status: 'failed' })],
      ['group 3', 'tool'],
    ],
    [
      'a text ends the group',
      [tool(), tool(), tool(), said('x'), tool()],
      ['group 3', 'agent', 'tool'],
    ],
  ])('%s', (_what, entries, expected) => expect(kinds(entries)).toEqual(expected));
  test('its title counts files once', () => {
    const path = (name: string) => ({ locations: [{ path: name }] });
    expect(groupTitle([tool(path('a')), tool(path('a')), tool({ tool: 'search' })])).toBe(
      'Read 1 file, searched once',
    );
    expect(
      groupTitle([
        tool(path('a')),
        tool(path('b')),
        tool({ tool: 'search' }),
        tool({ tool: 'search' }),
      ]),
    ).toBe('Read 2 files, searched twice');
    expect(
      groupTitle([tool({ tool: 'search' }), tool({ tool: 'search' }), tool({ tool: 'search' })]),
    ).toBe('Searched 3 times');
  });
});

describe('a question tells of its tool call', () => {
  const run = tool({ tool: 'execute', status: 'pending' });
  test.each<[string, Entry[], string[]]>([
    ['while it waits', [run, ask(run, {})], ['ask']],
    [
      'denied',
      [{ ...run, status: 'failed' }, ask(run, { state: 'decided', optionId: 'n' })],
      ['ask'],
    ],
    [
      'allowed: the run shows beside it',
      [{ ...run, status: 'running' }, ask(run, { state: 'decided', optionId: 'y' })],
      ['tool', 'ask'],
    ],
  ])('%s', (_what, entries, expected) => expect(kinds(entries)).toEqual(expected));
});

test('empty texts make no row: a row is never without height', () => {
  expect(kinds([said('  \n')])).toEqual([]);
});

test('rows made step by step are the rows made at once, and what did not change is kept', () => {
  const choice = fc.array(fc.nat(5), { maxLength: 50 });
  fc.assert(
    fc.property(choice, (choices) => {
      const entries = choices.map((n) =>
        n === 0
          ? user()
          : n === 1
            ? said('x')
            : n === 2
              ? tool({ tool: 'execute', status: 'pending' })
              : tool(),
      );
      let rows = noRows;
      for (let length = 1; length <= entries.length; length += 1) {
        const now = entries.slice(0, length);
        const last = now.at(-1);
        const before = now.at(-2);
        if (last && before?.kind === 'tool' && last.kind === 'agent') now.push(ask(before, {}));
        rows = rowsOf(now, rows);
        expect(rows.rows).toEqual(rowsOf(now).rows);
      }
    }),
  );
  const first = [user(), said('a'), user(), said('b')];
  const before = rowsOf(first);
  const after = rowsOf([...first, said('c')], before);
  expect(after.rows[0]).toBe(before.rows[0]);
});
