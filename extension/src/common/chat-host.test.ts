import type { Connect, SocketHandlers } from '@berth/client';
import { beforeEach, expect, test } from 'vitest';
import { virtualTime } from '../../../client/testing/virtual-time.ts';
import {
  createRemoteHost,
  type Draft,
  type HostMessage,
  type NoteName,
} from '../../../webview/src/ipc/index.ts';
import { at, sessionOf } from '../testing/records.ts';
import { createChatHost, type Surroundings } from './chat-host.ts';
import { createHub, type Target } from './hub.ts';

const session = sessionOf();
const turnId = '01990000-0000-7000-8000-0000000000aa';
const event = (seq: number, text: string) => ({
  sessionId: session.id,
  seq,
  at: at('14:00'),
  kind: 'message.delta',
  payload: { messageId: 'm', text },
});
const me = {
  id: session.id,
  name: 'Ana',
  team: { id: session.id, name: 'Payments' },
  teams: [],
  roles: ['member'],
  scopes: ['*'],
};
const meta = {
  name: 'berth',
  version: '1',
  channels: 1,
  terminal: 1,
  gateway: { configured: false, virtualKeys: false },
  drivers: ['local'],
  isolation: { isolated: true },
};

/** A server at the two doors that the extension has to it: requests and one socket. */
function serverOf(time: ReturnType<typeof virtualTime>) {
  const log = [event(1, 'one '), event(2, 'two ')];
  const calls: string[] = [];
  const sockets: { handlers: SocketHandlers; open: boolean }[] = [];
  let up = true;
  const answers: [RegExp, () => unknown][] = [
    [/\/me$/, () => me],
    [/\/meta$/, () => meta],
    [/\/harnesses$/, () => []],
    [/\/agents\?/, () => ({ items: [], nextCursor: null })],
    [/\/events\?/, () => ({ items: log, lastSeq: log.length })],
    [/\/turns\?/, () => ({ items: [], nextCursor: null })],
    [
      /\/turns$/,
      () => ({
        id: turnId,
        sessionId: session.id,
        state: 'queued',
        prompt: [{ type: 'text', text: 'x' }],
        createdAt: at('14:00'),
      }),
    ],
    [/\/sessions\/[^/]+$/, () => session],
  ];
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!up) throw new TypeError('fetch failed');
    calls.push(`${init.method ?? 'GET'} ${url}`);
    const found = answers.find(([path]) => path.test(url));
    return found ? Response.json(found[1]()) : Response.json({}, { status: 404 });
  };
  const connect: Connect = (_url, _protocols, headers, handlers) => {
    const socket = { handlers, open: true };
    sockets.push(socket);
    time.timers.after(1, () => {
      if (!socket.open) return;
      if (up && headers['authorization'] === 'Bearer berth_a_b') handlers.open();
      else handlers.close(up ? 4401 : 1006, '');
    });
    const answer = (frame: unknown) =>
      time.timers.after(1, () => {
        if (socket.open) handlers.message(JSON.stringify(frame));
      });
    return {
      bufferedBytes: 0,
      close: () => {
        socket.open = false;
      },
      send: (data) => {
        const request = JSON.parse(String(data)) as {
          op: string;
          id: number;
          channel: string;
          after?: number;
        };
        if (request.op !== 'subscribe') return;
        if (request.channel === 'sessions')
          answer({ op: 'sessions', complete: true, upsert: [session], remove: [] });
        else if (request.channel === 'approvals')
          answer({ op: 'approvals', complete: true, upsert: [], remove: [] });
        else {
          answer({ op: 'subscribed', id: request.id, channel: request.channel });
          answer({
            op: 'events',
            channel: request.channel,
            events: log.filter(({ seq }) => seq > (request.after ?? 0)),
          });
          answer({ op: 'live', channel: request.channel, seq: log.length });
        }
      },
    };
  };
  return {
    fetch,
    connect,
    calls,
    say(text: string) {
      const next = event(log.length + 1, text);
      log.push(next);
      for (const { handlers, open } of sockets)
        if (open && up)
          handlers.message(
            JSON.stringify({ op: 'events', channel: `session/${session.id}`, events: [next] }),
          );
    },
    cut() {
      up = false;
      for (const socket of sockets) {
        if (socket.open) socket.handlers.close(1006, '');
        socket.open = false;
      }
    },
    restore() {
      up = true;
    },
  };
}

function setUp(target: Target | null = { url: 'http://127.0.0.1:1', token: 'berth_a_b' }) {
  const time = virtualTime();
  const server = serverOf(time);
  let found = target;
  const hub = createHub({
    find: async () => found,
    connect: server.connect,
    fetch: server.fetch,
    newId: () => turnId,
    clock: time.clock,
    timers: time.timers,
    log: { info: () => undefined, warn: () => undefined },
  });
  const done: string[] = [];
  const note =
    (what: string) =>
    async (...rest: unknown[]) => {
      done.push([what, ...rest.slice(what === 'link' ? 0 : 1)].join(' '));
    };
  const around: Surroundings = {
    openTerminal: note('terminal'),
    openChanges: note('changes'),
    openFile: note('file'),
    openText: note('text'),
    openLink: note('link'),
    insertAtCursor: note('insert'),
    copy: note('copy'),
    signIn: note('signIn'),
    sendKey: () => 'enter',
  };
  const notes: [NoteName, unknown][] = [];
  const kept = new Map<string, Draft | null>();
  const page = createRemoteHost((message) => {
    answering.push(host.receive(structuredClone(message)));
  });
  const answering: Promise<void>[] = [];
  const sent: HostMessage[] = [];
  const host = createChatHost({
    hub,
    sessionId: session.id,
    around,
    drafts: {
      load: (id) => kept.get(id) ?? null,
      save: async (id, draft) => void kept.set(id, draft),
    },
    clock: time.clock,
    timers: time.timers,
    post: (message) => {
      sent.push(message);
      page.receive(structuredClone(message));
    },
    onError: () => undefined,
  });
  page.host.onNote((name, data) => notes.push([name, data]));
  return {
    time,
    server,
    hub,
    host,
    chat: page.host,
    notes,
    done,
    set: (next: Target | null) => (found = next),
  };
}
let world: ReturnType<typeof setUp>;
const online = async () => {
  world.hub.look();
  await world.time.pass(100);
};
const texts = () =>
  world.notes.flatMap(([name, data]) =>
    name === 'events'
      ? (data as { events: { payload: { text: string } }[] }).events.map(
          ({ payload }) => payload.text,
        )
      : [],
  );
beforeEach(() => {
  world = setUp();
});

test('a page says hello, opens its session, and hears what follows without a gap', async () => {
  await online();
  const hello = await world.chat.ready({});
  expect(hello).toMatchObject({
    host: 'vscode',
    sessionId: session.id,
    me: { name: 'Ana', team: 'Payments' },
    canWrite: true,
  });
  const opened = await world.chat.openSession({ sessionId: session.id });
  expect(opened).toMatchObject({ after: 0, to: 2, hasOlder: false });
  await world.time.pass(50);
  world.server.say('three ');
  world.server.say('four');
  await world.time.pass(100);
  expect(texts()).toEqual(['three ', 'four']);
  const spans = world.notes
    .filter(([name]) => name === 'events')
    .map(([, data]) => data as { after: number; to: number });
  expect(spans[0]?.after).toBe(2);
  for (const [i, span] of spans.slice(1).entries()) expect(span.after).toBe(spans[i]?.to);
});

test('nothing is lost over a cut, nothing comes twice', async () => {
  await online();
  await world.chat.ready({});
  await world.chat.openSession({ sessionId: session.id });
  await world.time.pass(50);
  world.server.say('a');
  await world.time.pass(50);
  world.server.cut();
  world.server.say('b');
  await world.time.pass(500);
  expect(world.hub.state.get().server.kind).toBe('offline');
  expect(world.notes.at(-1)?.[0]).toBe('connection');
  world.server.restore();
  await world.time.pass(5000);
  expect(world.hub.state.get().server.kind).toBe('online');
  world.server.say('c');
  await world.time.pass(100);
  expect(texts()).toEqual(['a', 'b', 'c']);
});

test('a page that was made before there was a server is filled when there is one', async () => {
  world.set(null);
  world.hub.look();
  await world.time.pass(10);
  const hello = world.chat.ready({});
  await world.time.pass(2000);
  await expect(hello).resolves.toMatchObject({ sessionId: session.id });
  const opened = world.chat.openSession({ sessionId: session.id });
  const refused = expect(opened).rejects.toMatchObject({ refusal: { code: 'unreachable' } });
  await world.time.pass(11_000);
  await refused;
  world.set({ url: 'http://127.0.0.1:1', token: 'berth_a_b' });
  await world.time.pass(3000);
  expect(world.notes.filter(([name]) => name === 'show')).toEqual([
    ['show', { sessionId: session.id }],
  ]);
  await expect(world.chat.openSession({ sessionId: session.id })).resolves.toMatchObject({ to: 2 });
});

test('nobody signed in is said as such, and a token that comes is taken by itself', async () => {
  world.set({ url: 'http://127.0.0.1:1', token: undefined });
  await online();
  expect(world.hub.state.get().server.kind).toBe('signed-out');
  world.set({ url: 'http://127.0.0.1:1', token: 'berth_wrong_x' });
  await world.time.pass(3000);
  expect(world.hub.state.get().server.kind).toBe('signed-out');
  world.set({ url: 'http://127.0.0.1:1', token: 'berth_a_b' });
  await world.time.pass(3000);
  expect(world.hub.state.get().server.kind).toBe('online');
});

test('a page speaks of its own session only', async () => {
  await online();
  const other = sessionOf().id;
  for (const call of [
    world.chat.openSession({ sessionId: other }),
    world.chat.send({ sessionId: other, turnId, prompt: [{ type: 'text', text: 'x' }] }),
    world.chat.suspend({ sessionId: other }),
    world.chat.openTerminal({ sessionId: other, kind: 'shell' }),
    world.chat.loadDraft({ sessionId: other }),
  ])
    await expect(call).rejects.toMatchObject({ refusal: { code: 'invalid-request' } });
  expect(world.server.calls.some((call) => call.includes(other))).toBe(false);
});

test('a file outside the workspace is not opened', async () => {
  await online();
  await world.chat.openFile({ sessionId: session.id, path: '/workspace/src/a.ts', line: 3 });
  expect(world.done).toEqual(['file src/a.ts 3']);
  for (const path of ['/etc/passwd', '../x', '/workspace/../etc/shadow'])
    await expect(world.chat.openFile({ sessionId: session.id, path })).rejects.toMatchObject({
      refusal: { code: 'outside-workspace' },
    });
});

test('opening and reconnecting never wakes a sandbox', async () => {
  await online();
  await world.chat.ready({});
  await world.chat.openSession({ sessionId: session.id });
  world.server.cut();
  await world.time.pass(1000);
  world.server.restore();
  await world.time.pass(5000);
  expect(world.server.calls.filter((call) => !call.startsWith('GET'))).toEqual([]);
});

test('a hidden page is not read for', async () => {
  await online();
  await world.chat.openSession({ sessionId: session.id });
  await world.time.pass(50);
  world.host.pause();
  world.server.say('unheard');
  await world.time.pass(100);
  expect(texts()).toEqual([]);
});
