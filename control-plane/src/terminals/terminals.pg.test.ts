import type { Session } from '@berth/contract';
import { Problem } from '@berth/contract';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { mustActIn, type Actor } from '../identity/index.ts';
import { createIds } from '../ids.ts';
import type { RunnerPort } from '../sessions/index.ts';
import { testDatabase } from '../store/testing/index.ts';
import { createTerminals } from './terminals.ts';
import type { TerminalViewer } from './viewer.ts';

const newId = createIds(systemClock);
const team = newId();
const actor: Actor = {
  userId: newId(),
  userName: 'Ada',
  teamId: team,
  role: 'owner',
  scopes: ['*'],
};
const stranger: Actor = { ...actor, teamId: newId() };
let sessionId: string;
let session: { status: string; phase: string; archivedAt?: string };
let calls: [string, unknown][];
let answer: (method: string) => unknown;
let db: Awaited<ReturnType<typeof testDatabase>>;
let terminals: ReturnType<typeof createTerminals>;

function get(who: Actor, id: string): Session {
  if (who.teamId !== team || id !== sessionId) throw new Problem('not-found', 'No such session.');
  const { status, phase, archivedAt } = session;
  return {
    ...{ id, status, sandbox: { phase }, createdBy: { id: actor.userId, name: 'Ada' } },
    ...(archivedAt && { archivedAt }),
  } as Session;
}

beforeAll(async () => {
  db = await testDatabase();
  terminals = createTerminals({
    store: db.store,
    clock: systemClock,
    newId,
    runner: {
      call: (async (_id: string, method: string, params: unknown) => {
        calls.push([method, params]);
        return answer(method);
      }) as RunnerPort['call'],
    },
    streams: {
      open: async () => {
        throw new Problem('not-found', 'the runner has no such terminal');
      },
    },
    sessions: () => ({
      get: async (who, id) => get(who, id),
      own: async (who, id) => {
        const found = get(who, id);
        mustActIn(who, found.createdBy.id);
        return found;
      },
    }),
  });
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(() => {
  sessionId = newId();
  session = { status: 'idle', phase: 'ready' };
  calls = [];
  answer = () => ({});
});
const shell = { kind: 'shell', cols: 80, rows: 24 } as const;
const code = (name: string) => expect.objectContaining({ code: name }) as unknown;

test('opened, listed newest first, closed with who did it', async () => {
  const first = await terminals.open(actor, sessionId, shell);
  const second = await terminals.open(actor, sessionId, { ...shell, kind: 'agent' });
  expect(first).toMatchObject({
    sessionId,
    kind: 'shell',
    cols: 80,
    state: 'open',
    createdBy: { name: 'Ada' },
  });
  expect(calls[0]).toEqual([
    'terminal.open',
    { terminalId: first.id, ...shell, by: { id: actor.userId, name: 'Ada' } },
  ]);
  expect((await terminals.list(actor, sessionId)).map((one) => one.id)).toEqual([
    second.id,
    first.id,
  ]);
  await terminals.close(actor, first.id);
  await terminals.close(actor, first.id);
  expect(calls.filter(([method]) => method === 'terminal.close')).toHaveLength(1);
  const [, closed] = await terminals.list(actor, sessionId);
  expect(closed).toMatchObject({ state: 'closed', reason: 'Closed by Ada.' });
  expect(closed?.closedAt).toBeDefined();
});

test('the row stands before the runner is asked, and is closed with the reason when it refuses', async () => {
  let rows = 0;
  answer = async () => {
    rows = (await db.prisma.terminal.findMany({ where: { sessionId, state: 'open' } })).length;
    throw new Problem('agent-has-no-terminal', 'This agent has none.');
  };
  await expect(terminals.open(actor, sessionId, shell)).rejects.toEqual(
    code('agent-has-no-terminal'),
  );
  expect(rows).toBe(1);
  expect(await terminals.list(actor, sessionId)).toMatchObject([
    { state: 'closed', reason: 'This agent has none.' },
  ]);
});

test.each([
  [{ status: 'suspended', phase: 'suspended' }, 'sandbox-not-ready'],
  [{ status: 'suspending', phase: 'ready' }, 'sandbox-not-ready'],
  [{ status: 'starting', phase: 'creating' }, 'sandbox-not-ready'],
  [{ status: 'failed', phase: 'failed' }, 'sandbox-not-ready'],
  [{ status: 'idle', phase: 'ready', archivedAt: '2026-11-22T10:00:00.000Z' }, 'session-archived'],
])('a session that is not there is not woken by a terminal: %j', async (is, refusal) => {
  session = is;
  await expect(terminals.open(actor, sessionId, shell)).rejects.toEqual(code(refusal));
  expect(calls).toEqual([]);
  expect(await db.prisma.terminal.count({ where: { sessionId } })).toBe(0);
});

test('another team finds nothing, and nothing is done for it', async () => {
  const mine = await terminals.open(actor, sessionId, shell);
  calls = [];
  const viewer = {} as TerminalViewer;
  const signal = new AbortController().signal;
  for (const attempt of [
    () => terminals.list(stranger, sessionId),
    () => terminals.open(stranger, sessionId, shell),
    () => terminals.close(stranger, mine.id),
    () => terminals.screen(stranger, mine.id),
    () => terminals.attach(stranger, mine.id, { cols: 80, rows: 24 }, viewer, signal),
    () => terminals.close(actor, newId()),
  ])
    await expect(attempt()).rejects.toEqual(code('not-found'));
  expect(calls).toEqual([]);
  expect((await terminals.list(actor, sessionId))[0]?.state).toBe('open');
});

test('a terminal that the runner does not have is closed here too', async () => {
  const mine = await terminals.open(actor, sessionId, shell);
  const viewer = {} as TerminalViewer;
  const attached = terminals.attach(
    actor,
    mine.id,
    { cols: 80, rows: 24 },
    viewer,
    new AbortController().signal,
  );
  await expect(attached).rejects.toEqual(code('terminal-closed'));
  expect((await terminals.list(actor, sessionId))[0]?.state).toBe('closed');
});

test('with its sandbox go all terminals of a session, and only they', async () => {
  const other = sessionId;
  const kept = await terminals.open(actor, sessionId, shell);
  sessionId = newId();
  await terminals.open(actor, sessionId, shell);
  await terminals.open(actor, sessionId, shell);
  await terminals.sessionEnded(sessionId, 'The session was suspended.');
  expect((await terminals.list(actor, sessionId)).map((one) => [one.state, one.reason])).toEqual([
    ['closed', 'The session was suspended.'],
    ['closed', 'The session was suspended.'],
  ]);
  sessionId = other;
  expect((await terminals.list(actor, sessionId))[0]).toMatchObject({ id: kept.id, state: 'open' });
});
