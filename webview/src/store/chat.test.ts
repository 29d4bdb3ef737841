import type { Session } from '@berth/contract';
import { expect, test, vi } from 'vitest';
import {
  calls,
  Refused,
  type CallName,
  type Host,
  type NoteListener,
  type Opened,
} from '../ipc/index.ts';
import { createChat } from './chat.ts';

const sessionId = '01936d5e-0000-7000-8000-000000000001';
const session = { id: sessionId, title: 'A session', status: 'idle' } as Session;
const notice = (seq: number) => ({
  sessionId,
  seq,
  at: '2026-11-22T14:00:00.000Z',
  kind: 'notice',
  payload: { code: 'x', text: `notice ${seq}` },
});
const range = (after: number, to: number) =>
  Array.from({ length: to - after }, (_, index) => notice(after + index + 1));

/** A host with a log of notices; `answers` replaces single calls. */
function setUp(
  log: { last: number },
  answers: Partial<Record<CallName, (params: never) => unknown>> = {},
) {
  const listeners = new Set<NoteListener>();
  const asked: { name: string; params: unknown }[] = [];
  const ours: Partial<Record<CallName, (params: never) => unknown>> = {
    openSession: ({ knownSeq }: { knownSeq?: number }): Opened => {
      const after = knownSeq ?? Math.max(0, log.last - 5);
      return {
        session,
        after,
        to: log.last,
        events: range(after, log.last),
        hasOlder: after > 0,
        turns: [],
        context: [],
        models: [],
      };
    },
    page: ({ before, limit }: { before: number; limit: number }) => {
      const after = Math.max(0, before - 1 - limit);
      return { after, to: before - 1, events: range(after, before - 1), hasOlder: after > 0 };
    },
    loadDraft: () => ({ draft: null }),
    ...answers,
  };
  const host = {
    ...Object.fromEntries(
      (Object.keys(calls) as CallName[]).map((name) => [
        name,
        async (params: unknown) => {
          asked.push({ name, params });
          return (ours[name] as ((params: unknown) => unknown) | undefined)?.(params) ?? {};
        },
      ]),
    ),
    onNote: (listener: NoteListener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as Host;
  const time = { now: 1000 };
  const due: { run: () => void; at: number }[] = [];
  const chat = createChat({
    host,
    clock: { now: () => time.now },
    schedule: (run, ms) => due.push({ run, at: time.now + ms }),
  });
  const pass = (ms: number) => {
    time.now += ms;
    for (const one of due.splice(0))
      if (one.at <= time.now) one.run();
      else due.push(one);
  };
  const tell: NoteListener = (name, data) => listeners.forEach((listener) => listener(name, data));
  const texts = () =>
    chat.state
      .get()
      .rows.entries.map((entry) => (entry.kind === 'notice' ? entry.text : entry.kind));
  return { chat, asked, pass, tell, texts };
}
const live = (after: number, to: number) => ({ sessionId, after, to, events: range(after, to) });

test('opens with the tail, then adds what comes', async () => {
  const { chat, pass, tell, texts } = setUp({ last: 8 });
  await chat.open(sessionId);
  expect(texts()).toEqual([4, 5, 6, 7, 8].map((n) => `notice ${n}`));
  tell('events', live(8, 9));
  pass(0);
  expect(texts().at(-1)).toBe('notice 9');
});
test('paints at most every 33 ms', async () => {
  const { chat, pass, tell } = setUp({ last: 2 });
  await chat.open(sessionId);
  let paints = 0;
  chat.state.subscribe(() => (paints += 1));
  tell('events', live(2, 3));
  pass(0);
  expect(paints).toBe(1);
  for (let seq = 3; seq < 10; seq += 1) tell('events', live(seq, seq + 1));
  pass(10);
  expect(paints).toBe(1);
  pass(25);
  expect(paints).toBe(2);
  expect(chat.state.get().transcript?.to).toBe(10);
});
test('a gap is asked for, once, and closed', async () => {
  const log = { last: 5 };
  const { chat, asked, pass, tell, texts } = setUp(log);
  await chat.open(sessionId);
  log.last = 20;
  tell('events', live(18, 19));
  tell('events', live(19, 20));
  pass(0);
  await vi.waitFor(() => expect(chat.state.get().transcript?.to).toBe(20));
  expect(asked.filter(({ name }) => name === 'openSession').map(({ params }) => params)).toEqual([
    { sessionId },
    { sessionId, knownSeq: 5 },
  ]);
  expect(texts()).toEqual(range(0, 20).map(({ payload }) => payload.text));
});
test('what arrives while a session is being opened is not lost', async () => {
  const { chat, pass, tell, texts } = setUp({ last: 3 });
  const opening = chat.open(sessionId);
  tell('events', live(3, 4));
  pass(0);
  await opening;
  expect(texts().at(-1)).toBe('notice 4');
});
test('events of another session are left out, also after switching', async () => {
  const { chat, pass, tell, texts } = setUp({ last: 1 });
  await chat.open(sessionId);
  tell('events', { ...live(1, 2), sessionId: 'other' });
  pass(50);
  expect(texts()).toEqual(['notice 1']);
});
test('older pages until there are none', async () => {
  const { chat, texts } = setUp({ last: 1207 });
  await chat.open(sessionId);
  for (let n = 0; n < 5; n += 1) await chat.loadOlder();
  expect(chat.state.get().transcript?.hasOlder).toBe(false);
  expect(texts()).toHaveLength(1207);
});
test('a message that is refused is no longer on its way, and words say why', async () => {
  const { chat } = setUp(
    { last: 1 },
    {
      send: () => {
        throw new Refused({ code: 'session-archived', detail: 'archived' });
      },
    },
  );
  await chat.open(sessionId);
  const sending = chat.send([{ type: 'text', text: 'x' }], 'turn-1');
  expect(chat.state.get().outgoing).toHaveLength(1);
  await expect(sending).resolves.toBe(false);
  expect(chat.state.get()).toMatchObject({ outgoing: [], refusal: 'This session is archived.' });
});
test('a session that is not there is said to be', async () => {
  const { chat } = setUp(
    { last: 1 },
    {
      openSession: () => {
        throw new Refused({ code: 'not-found', detail: 'no' });
      },
    },
  );
  await chat.open(sessionId);
  expect(chat.state.get().missing).toMatchObject({ code: 'not-found' });
});
