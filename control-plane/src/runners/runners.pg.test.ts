import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../clock.ts';
import { createIds } from '../ids.ts';
import { createReplicas } from '../replicas/index.ts';
import { createHints } from '../store/index.ts';
import { testDatabase } from '../store/testing/index.ts';
import { writeLinkFile } from './link-file.ts';
import { createRunners } from './runners.ts';
import type { Runners } from './runners.ts';
import { playRunner, recordedEvents, serveRunners } from './testing/played-runner.ts';

const newId = createIds(systemClock);
const s1 = newId();
const s2 = newId();
const sourceId = newId();
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 5000, interval: 5 });
const item = (n: number) => ({ n, kind: 'notice', payload: { code: 'c', text: 't' } });

let stack: AsyncDisposableStack;
let runners: Runners;
let told: ReturnType<typeof recordedEvents>;
let url: string;
let identity: { runnerId: string; credential: string };
let lines: string[];
let dir: string;
let db: Awaited<ReturnType<typeof testDatabase>>;

beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  dir = await mkdtemp(join(tmpdir(), 'berth-runners-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await db.prisma.runner.deleteMany();
  told = recordedEvents();
  lines = [];
  const logger = pino(
    { level: 'warn' },
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    }),
  );
  const hints = stack.use(await createHints({ store: db.store, logger }));
  const parts = { store: db.store, hints, clock: systemClock, newId, logger, roles: ['web'] };
  const replicas = stack.use(await createReplicas(parts));
  await replicas.start({ url: 'http://127.0.0.1:9', facts: null });
  runners = createRunners({
    store: db.store,
    clock: systemClock,
    newId,
    logger,
    events: () => told.events,
    replicas,
  });
  const served = stack.use(await serveRunners(() => runners));
  stack.defer(() => runners.close());
  url = served.url;
  identity = await runners.ensureLocal({ stateDir: dir });
});
afterEach(async () => {
  await stack.disposeAsync();
});
async function connect(sessions: string[] = []) {
  const runner = await playRunner(url, identity.credential);
  stack.defer(() => runner.close());
  runner.hello(
    identity.runnerId,
    sessions.map((sessionId) => ({ sessionId, sourceId, lastN: 7, generation: 1 })),
  );
  await until(() => expect(runner.of('welcome')).toHaveLength(1));
  return runner;
}

test('an identity is made once, kept with its file, and authenticates; nothing else does', async () => {
  await writeLinkFile(dir, { url, ...identity });
  expect(await runners.ensureLocal({ stateDir: dir })).toEqual(identity);
  expect(await runners.authenticate(identity.credential)).toEqual({ runnerId: identity.runnerId });
  const wrong = identity.credential.slice(0, -1) + (identity.credential.endsWith('A') ? 'B' : 'A');
  for (const text of [
    '',
    'berth_x_y',
    wrong,
    identity.credential.replace(identity.runnerId, newId()),
  ])
    expect(await runners.authenticate(text)).toBeNull();
  const rows = await db.prisma.runner.findMany();
  expect(rows).toHaveLength(1);
  expect(Buffer.from(rows[0]!.hash).toString('utf8')).not.toContain(identity.credential.slice(-43));
});

test('a machine that kept its identity is known again by an empty database', async () => {
  await writeLinkFile(dir, { url, ...identity });
  await db.prisma.runner.deleteMany();
  expect(await runners.ensureLocal({ stateDir: dir })).toEqual(identity);
  expect(await runners.authenticate(identity.credential)).not.toBeNull();
});

test.each([
  [{}, 401],
  [{ authorization: 'Bearer nonsense' }, 401],
])('who is not a runner stays out: %j', async (headers, status) => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/runner`, 'berth.link.v1', {
    headers,
  });
  const refused = await new Promise<number | undefined>((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('error', () => undefined);
  });
  expect(refused).toBe(status);
});

test('a page in a browser stays out, whatever it shows', async () => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/runner`, 'berth.link.v1', {
    headers: { authorization: `Bearer ${identity.credential}` },
    origin: 'http://evil.test',
  });
  const refused = await new Promise<number | undefined>((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('error', () => undefined);
  });
  expect(refused).toBe(403);
});

test('hello, welcome, then what was sent meanwhile; commands reach the only runner', async () => {
  let go: () => void = () => undefined;
  told.slow.set('hello', new Promise((resolve) => (go = resolve)));
  const runner = await playRunner(url, identity.credential);
  stack.defer(() => runner.close());
  expect(runners.port.connected(s1)).toBe(false);
  runner.hello(identity.runnerId, [{ sessionId: s1, sourceId, lastN: 7, generation: 1 }]);
  await until(() => expect(runners.port.connected(s1)).toBe(true));
  const turnId = newId();
  runners.port.turn(s1, turnId, [{ type: 'text', text: 'hi' }]);
  runners.port.ack(s2, sourceId, 9);
  go();
  await until(() => expect(runner.frames).toHaveLength(3));
  expect(runner.frames).toMatchObject([
    { op: 'welcome', sessions: [{ sessionId: s1, sourceId, lastSourceSeq: 7 }], purge: [] },
    { op: 'turn', sessionId: s1, turnId },
    { op: 'ack', sessionId: s2, n: 9 },
  ]);
  runners.port.decide(s1, turnId, 'yes');
  runners.port.cancel(s1, turnId);
  runners.port.unbind(s1, true);
  await until(() => expect(runner.frames).toHaveLength(6));
  expect(runners.serves(identity.runnerId, s1)).toBe(true);
  expect(runners.serves(newId(), s1)).toBe(false);
  await until(async () =>
    expect((await db.prisma.runner.findFirst())?.lastSeenAt).toBeInstanceOf(Date),
  );
});

test('frames of one session keep their order, those of another do not wait', async () => {
  const runner = await connect();
  let go: () => void = () => undefined;
  told.slow.set(s1, new Promise((resolve) => (go = resolve)));
  const turnId = newId().slice(0, -1) + '0';
  runner.send({ op: 'accepted', sessionId: s1, turnId });
  runner.send({ op: 'events', sessionId: s1, sourceId, items: [item(1), item(2)] });
  runner.send({ op: 'events', sessionId: s2, sourceId, items: [item(1)] });
  await until(() => expect(told.seen).toContainEqual(['events', s2, [1]]));
  expect(told.seen.filter((one) => one[1] === s1)).toEqual([]);
  go();
  await until(() => expect(told.seen.filter((one) => one[1] === s1)).toHaveLength(2));
  expect(told.seen.filter((one) => one[1] === s1)).toEqual([
    ['accepted', s1, turnId],
    ['events', s1, [1, 2]],
  ]);
});

test('a log that is full is not sent more until it has written', async () => {
  const runner = await connect();
  told.hold();
  for (let n = 1; n <= 50; n += 1)
    runner.send({ op: 'events', sessionId: newId(), sourceId, items: [item(n)] });
  await until(() => expect(told.seen.some((one) => one[0] === 'events')).toBe(true));
  // The server's socket is not read: what it had in hand is all that comes.
  const text = JSON.stringify({
    op: 'events',
    sessionId: s1,
    sourceId,
    items: [{ n: 99, kind: 'notice', payload: { code: 'c', text: 'x'.repeat(4_000_000) } }],
  });
  for (let i = 0; i < 8; i += 1) runner.raw(text);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(runner.socket.bufferedAmount).toBeGreaterThan(4_000_000);
  expect(told.seen.filter((one) => one[1] === s1)).toEqual([]);
  told.release();
  await until(() => expect(told.seen.filter((one) => one[1] === s1)).toHaveLength(8));
  expect(runner.closedWith).toBeUndefined();
});

test.each([
  ['not json', 'not json'],
  ['a frame of no kind', '{"op":"levitate"}'],
  [
    'numbers that start at 0',
    JSON.stringify({ op: 'events', sessionId: s1, sourceId, items: [item(0)] }),
  ],
  [
    'a second hello',
    JSON.stringify({ op: 'hello', protocol: 1, runnerId: newId(), version: 'x', sessions: [] }),
  ],
])('%s closes this link, says so, and leaves nothing behind', async (_name, text) => {
  const runner = await connect();
  runner.raw(text);
  expect(await runner.closed).toBe(4002);
  await until(() => expect(told.seen).toContainEqual(['disconnected', identity.runnerId]));
  expect(lines.join('')).toContain('frame does not fit');
  expect(runners.port.connected(s1)).toBe(false);
  const again = await connect();
  expect(again.closedWith).toBeUndefined();
});

test('a runner that says it is another is not let in', async () => {
  const runner = await playRunner(url, identity.credential);
  runner.hello(newId());
  expect(await runner.closed).toBe(4403);
  expect(told.seen).toEqual([]);
});

test.each<[string, string, number]>([
  ['offers another version', 'berth.link.v9', 1],
  ['says another version in its hello', 'berth.link.v1', 9],
])(
  'a runner that %s hears it, is told once, and is foreign until another comes',
  async (_how, offered, protocol) => {
    const { runnerId, credential } = identity;
    const dial = async (name: string, version: number) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/runner`, name, {
        headers: { authorization: `Bearer ${credential}` },
      });
      socket.on('open', () =>
        socket.send(
          JSON.stringify({ op: 'hello', protocol: version, runnerId, version: '0', sessions: [] }),
        ),
      );
      return socket;
    };
    for (let times = 0; times < 2; times++) {
      const socket = await dial(offered, protocol);
      const code = await new Promise((resolve) => socket.once('close', resolve));
      expect(code).toBe(4409);
    }
    expect(runners.foreign(runnerId)).toBe(true);
    expect(told.seen).toEqual([['foreign', runnerId]]);
    expect(lines.filter((line) => line.includes('cannot be understood'))).toHaveLength(1);
    const present = await dial('berth.link.v1', 1);
    await until(() => expect(runners.foreign(runnerId)).toBe(false));
    present.terminate();
  },
);

test('a fault of ours closes the link, so that everything is sent again', async () => {
  const runner = await connect();
  runner.send({ op: 'accepted', sessionId: s1, turnId: newId().slice(0, -1) + 'f' });
  expect(await runner.closed).toBe(1011);
  expect(lines.join('')).toContain('on fire');
});

test('a hello that was said on another connection is refused, and the link of the runner stays', async () => {
  const real = await playRunner(url, identity.credential);
  stack.defer(() => real.close());
  const hello = { op: 'hello', protocol: 1, runnerId: identity.runnerId, version: 't' };
  const said = { ...hello, challenge: real.challenge, sessions: [] };
  expect(real.challenge).toMatch(/^[\w-]{22}$/);
  real.send(said);
  await until(() => expect(real.of('welcome')).toHaveLength(1));
  const again = await playRunner(url, identity.credential);
  again.send(said);
  expect(await again.closed).toBe(4003);
  expect(real.closedWith).toBeUndefined();
  expect(told.seen.filter((one) => one[0] === 'hello')).toHaveLength(1);
});

test('a newer link takes the place of the older, and its end is no news', async () => {
  const first = await connect([s1]);
  const second = await connect([s1]);
  expect(await first.closed).toBe(4000);
  expect(told.seen.filter((one) => one[0] === 'disconnected')).toEqual([]);
  runners.port.cancel(s1, newId());
  await until(() => expect(second.of('cancel')).toHaveLength(1));
  runners.port.drop(s1);
  expect(await second.closed).toBe(1012);
  await until(() => expect(told.seen).toContainEqual(['disconnected', identity.runnerId]));
});

test('calls: a value, a refusal, a value of the wrong shape, an abort, a lost link', async () => {
  await expect(runners.port.call(s1, 'files.list', { path: '/workspace' })).rejects.toMatchObject({
    code: 'runner-unreachable',
  });
  const runner = await connect([s1]);
  let answer: ((id: number) => unknown) | null = (id) => ({
    op: 'result',
    id,
    ok: true,
    value: { items: [] },
  });
  runner.onFrame((frame) => {
    if (frame.op === 'call' && answer !== null) runner.send(answer(frame.id) as never);
  });
  const list = (signal?: AbortSignal) =>
    runners.port.call(s1, 'files.list', { path: '/workspace' }, signal);
  await expect(list()).resolves.toEqual({ items: [] });
  answer = (id) => ({
    op: 'result',
    id,
    ok: false,
    code: 'outside-workspace',
    detail: 'a link leaves it',
  });
  await expect(list()).rejects.toMatchObject({
    code: 'outside-workspace',
    detail: 'a link leaves it',
  });
  answer = (id) => ({ op: 'result', id, ok: false, code: 'not-a-directory', detail: 'a file' });
  await expect(list()).rejects.toMatchObject({ code: 'invalid-request', detail: 'a file' });
  answer = (id) => ({ op: 'result', id, ok: true, value: { items: 'none' } });
  await expect(list()).rejects.toMatchObject({ code: 'internal-error' });
  answer = null;
  const abort = new AbortController();
  const aborted = list(abort.signal);
  abort.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  const cut = list();
  await until(() => expect(runner.of('call')).toHaveLength(6));
  runner.close();
  await expect(cut).rejects.toMatchObject({ code: 'runner-unreachable' });
});

test('a stream: meta, bytes at the reader’s pace, the end; and one socket each', async () => {
  const runner = await connect([s1]);
  const chunk = Buffer.alloc(256 * 1024, 7);
  const sockets: WebSocket[] = [];
  runner.onFrame((frame) => {
    if (frame.op !== 'stream') return;
    const socket = runner.stream(frame.streamId);
    sockets.push(socket);
    socket.on('open', () => {
      socket.send(JSON.stringify({ meta: { etag: 'e' } }));
      for (let i = 0; i < 64; i += 1) socket.send(chunk);
      socket.send('{"end":true}');
      socket.close(1000);
    });
  });
  await using stream = await runners.streams.open(
    s1,
    { kind: 'file.read', path: '/workspace/a' },
    new AbortController().signal,
  );
  // Nobody reads yet: 16 MiB cannot all have been taken.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(sockets[0]!.bufferedAmount).toBeGreaterThan(1024 * 1024);
  const kinds: string[] = [];
  let sizeBytes = 0;
  for await (const frame of stream.frames()) {
    if (kinds.at(-1) !== frame.kind) kinds.push(frame.kind);
    if (frame.kind === 'bytes') sizeBytes += frame.bytes.length;
  }
  expect(kinds).toEqual(['meta', 'bytes']);
  expect(sizeBytes).toBe(64 * chunk.length);
  expect(runner.of('stream')[0]).toMatchObject({ sessionId: s1, purpose: { kind: 'file.read' } });
  // The same id again is nobody's.
  const again = runner.stream(runner.of('stream')[0]!.streamId);
  const status = await new Promise<number | undefined>((resolve) => {
    again.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    again.on('error', () => undefined);
  });
  expect(status).toBe(404);
});

test('a stream that fails, breaks off, or never comes', async () => {
  const runner = await connect([s1]);
  let act: (socket: WebSocket) => void = (socket) => {
    socket.send('{"fail":{"code":"not-found","detail":"no such file"}}');
    socket.close(1000);
  };
  runner.onFrame((frame) => {
    if (frame.op !== 'stream') return;
    const socket = runner.stream(frame.streamId);
    socket.on('open', () => act(socket));
    socket.on('error', () => undefined); // refused: the last one was given up before it came
  });
  const read = async (signal = new AbortController().signal) => {
    await using stream = await runners.streams.open(
      s1,
      { kind: 'file.read', path: '/workspace/a' },
      signal,
    );
    for await (const frame of stream.frames()) expect(frame.kind).toBe('bytes');
  };
  await expect(read()).rejects.toMatchObject({ code: 'not-found', detail: 'no such file' });
  act = (socket) => {
    socket.send(Buffer.from('half'));
    socket.terminate();
  };
  await expect(read()).rejects.toMatchObject({ code: 'runner-unreachable' });
  act = () => undefined;
  const abort = new AbortController();
  const waiting = read(abort.signal);
  await until(() => expect(runner.of('stream')).toHaveLength(3));
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('closing tells the runner to come back at once', async () => {
  const runner = await connect([s1]);
  await runners.close();
  expect(await runner.closed).toBe(1012);
  expect(told.seen.filter((one) => one[0] === 'disconnected')).toEqual([]);
});
