import { expect, test } from 'vitest';
import { parseStat, scanProcs, treeOf, type Proc } from './tree.ts';

const proc = (pid: number, parent: number, more: Partial<Proc> = {}): Proc => ({
  pid,
  parent,
  group: pid,
  session: pid,
  zombie: false,
  mark: undefined,
  ...more,
});

test.each<[string, Proc[], number[]]>([
  ['nothing', [], []],
  ['the root alone', [proc(1, 0), proc(2, 1), proc(10, 2)], [10]],
  ['a child in a session of its own', [proc(10, 2), proc(11, 10)], [10, 11]],
  [
    'a member of the group whose parent has ended',
    [proc(10, 2), proc(11, 1, { group: 10 })],
    [10, 11],
  ],
  [
    'a marked process far away, and its unmarked child',
    [proc(20, 1, { mark: 'agent' }), proc(21, 20)],
    [20, 21],
  ],
  [
    'not a process that bears another mark',
    [proc(10, 2), proc(20, 1, { mark: 'terminal:x' })],
    [10],
  ],
  ['not a zombie', [proc(10, 2, { zombie: true }), proc(11, 10)], [11]],
  ['not the spared, nor what is below them', [proc(10, 2), proc(3, 10), proc(4, 3)], [10]],
])('the tree holds %s', (_, procs, expected) => {
  expect(treeOf(10, 'agent', procs, new Set([1, 2, 3]))).toEqual(expected);
});

test.each([
  ['12 (sh) S 1 12 11 0', { parent: 1, group: 12, session: 11, zombie: false }],
  ['12 (a) b) c) Z 7 8 9 0', { parent: 7, group: 8, session: 9, zombie: true }],
  ['', null],
])('reads %j', (text, expected) => {
  expect(parseStat(text)).toEqual(expected);
});

test('finds this process', () => {
  expect(scanProcs().find((found) => found.pid === process.pid)).toMatchObject({
    parent: process.ppid,
    zombie: false,
  });
});
