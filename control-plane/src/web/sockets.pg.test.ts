import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { decodeTerminalFrame, encodeTerminalFrame } from '@berth/contract';
import type { SetUp } from './testing/set-up.ts';
import { setUp } from './testing/set-up.ts';

let at: SetUp;
beforeAll(async () => {
  at = await setUp();
});
afterAll(() => at[Symbol.asyncDispose]());

type Frame = Record<string, unknown> & { op: string };
interface Dial {
  path?: string;
  protocol?: string;
  headers?: Record<string, string>;
}

/** A client that keeps what it got; `until` waits for a frame. */
function dial({ path = '/api/v1/channels', protocol = 'berth.channels.v1', headers }: Dial = {}) {
  const socket = new WebSocket(at.url.replace('http', 'ws') + path, protocol, {
    headers: headers ?? { authorization: `Bearer ${at.token}` },
  });
  const frames: Frame[] = [];
  const bytes: Buffer[] = [];
  socket.on('message', (data: Buffer, binary) => {
    if (binary) bytes.push(data);
    else frames.push(JSON.parse(data.toString()) as Frame);
  });
  const refused = new Promise<number>((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
  });
  const closed = new Promise<number>((resolve) => socket.on('close', (code) => resolve(code)));
  socket.on('error', () => undefined);
  return {
    socket,
    frames,
    bytes,
    refused,
    closed,
    open: () => once(socket, 'open'),
    send: (frame: unknown) =>
      socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    async until(matches: (frame: Frame) => boolean): Promise<Frame> {
      await expect.poll(() => frames.some(matches), { timeout: 5_000 }).toBe(true);
      return frames.find(matches) ?? { op: 'none' };
    },
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}
const newSession = async (title = 'a'): Promise<string> =>
  (await at.sessions.create(at.owner, { agentId: at.agentId, title })).id;
const op = (wanted: string) => (frame: Frame) => frame.op === wanted;
const seqsOf = (frames: Frame[]) =>
  frames
    .filter(op('events'))
    .flatMap((frame) => (frame['events'] as { seq: number }[]).map((each) => each.seq));

describe('who may open a socket', () => {
  test.each<[string, Dial, number]>([
    ['nobody', { headers: {} }, 4401],
    ['a wrong token', { headers: { authorization: 'Bearer berth_x' } }, 4401],
    ['a wrong ticket', { headers: {}, path: '/api/v1/channels?ticket=x' }, 4401],
    ['another protocol', { protocol: 'other' }, 4409],
  ])('%s is told by a close code', async (_name, how, code) => {
    await using client = dial(how);
    expect(await client.closed).toBe(code);
  });

  test('no protocol at all is 4409', async () => {
    const socket = new WebSocket(`${at.url.replace('http', 'ws')}/api/v1/channels`, {
      headers: { authorization: `Bearer ${at.token}` },
    });
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(4409);
  });

  test('another site’s page gets no socket, whatever it carries', async () => {
    const link = await at.identity.createSignInLink(at.owner, at.url);
    const signedIn = await at.identity.signIn(link.url.split('/').at(-1) ?? '');
    const cookie = `berth_session=${signedIn?.cookie ?? ''}`;
    for (const headers of [
      { cookie },
      { cookie, origin: 'http://evil.com' },
      { cookie, origin: 'null' },
      { authorization: `Bearer ${at.token}`, origin: 'http://evil.com' },
    ]) {
      await using client = dial({ headers });
      expect(await client.refused).toBe(403);
    }
    await using ours = dial({ headers: { cookie, origin: at.url } });
    await ours.open();
    ours.send({ op: 'ping' });
    await ours.until(op('pong'));
  });

  test('a ticket opens one socket', async () => {
    const { ticket } = await at.identity.createTicket(at.owner, 'channels');
    await using first = dial({ headers: {}, path: `/api/v1/channels?ticket=${ticket}` });
    await first.open();
    first.send({ op: 'ping' });
    await first.until(op('pong'));
    await using second = dial({ headers: {}, path: `/api/v1/channels?ticket=${ticket}` });
    expect(await second.closed).toBe(4401);
  });

  test('unknown places, queries and hosts are plain refusals', async () => {
    await using nowhere = dial({ path: '/api/v1/nowhere' });
    expect(await nowhere.refused).toBe(404);
    await using query = dial({ path: '/api/v1/channels?token=x' });
    expect(await query.refused).toBe(400);
    await using host = dial({ headers: { host: 'evil.com' } });
    expect(await host.refused).toBe(421);
  });

  test('runners are handed on, behind the check of the host', async () => {
    await using runner = dial({ path: '/api/v1/runner/streams/x' });
    expect(await runner.refused).toBe(401);
    expect(at.runnerUpgrades).toEqual(['/api/v1/runner/streams/x']);
  });
});

const subscriptions = async () =>
  /^berth_session_subscriptions (\d+)/m.exec((await at.call('GET', '/metrics')).text)?.[1];

describe('the channel of a session', () => {
  test('replays, says that it is live, and goes on', async () => {
    const id = await newSession();
    const last = await at.script.append(id, 3);
    await using client = dial();
    await client.open();
    const channel = `session/${id}`;
    client.send({ op: 'subscribe', id: 1, channel, after: last - 2 });
    await client.until(op('live'));
    await at.script.append(id, 1);
    await expect.poll(() => seqsOf(client.frames)).toEqual([last - 1, last, last + 1]);
    expect(client.frames.map((frame) => frame.op)).toEqual([
      'subscribed',
      'events',
      'live',
      'events',
    ]);
    expect(client.frames[0]).toEqual({
      op: 'subscribed',
      id: 1,
      channel,
      firstSeq: last - 1,
      lastSeq: last,
    });

    client.send({ op: 'unsubscribe', id: 2, channel });
    await client.until(op('unsubscribed'));
    await at.script.append(id, 1);
    client.send({ op: 'ping' });
    await client.until(op('pong'));
    expect(seqsOf(client.frames)).toEqual([last - 1, last, last + 1]);
    expect(await subscriptions()).toBe('0');
  });

  test('subscribing again replaces, and the end of the socket ends all', async () => {
    const id = await newSession();
    const client = dial();
    await client.open();
    for (const each of [1, 2, 3])
      client.send({ op: 'subscribe', id: each, channel: `session/${id}` });
    await client.until((frame) => frame['id'] === 3);
    expect(await subscriptions()).toBe('1');
    await client[Symbol.asyncDispose]();
    await expect.poll(subscriptions).toBe('0');
  });

  test('ten thousand events are replayed to a slow reader without a gap', async () => {
    const id = await newSession();
    let last = 0;
    for (let n = 0; n < 10; n++) last = await at.script.append(id, 1000, 1000);
    await using client = dial();
    await client.open();
    client.send({ op: 'subscribe', id: 1, channel: `session/${id}`, after: 0 });
    await client.until(op('subscribed'));
    client.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    await client.until(op('live'));
    expect(seqsOf(client.frames)).toEqual(Array.from({ length: last }, (_, n) => n + 1));
    expect(client.frames.some(op('resync'))).toBe(false);
  });

  test('bad frames are answered and the socket lives', async () => {
    await using client = dial();
    await client.open();
    const bad: [unknown, string][] = [
      ['nonsense', 'malformed-json'],
      ['', 'malformed-json'],
      ['null', 'invalid-request'],
      [{ op: 'subscribe' }, 'invalid-request'],
      [{ op: 'subscribe', id: 1, channel: 'sessions', after: 1 }, 'invalid-request'],
      [{ op: 'subscribe', id: 1, channel: 'nowhere' }, 'not-found'],
      [{ op: 'subscribe', id: 1, channel: 'session/x' }, 'not-found'],
      [{ op: 'subscribe', id: 1, channel: `session/${at.newId()}` }, 'not-found'],
      [{ op: 'subscribe', id: 1, channel: 'approvals', tail: 1, x: 1 }, 'invalid-request'],
      [
        { op: 'subscribe', id: 1, channel: `session/${at.newId()}`, after: 1, tail: 1 },
        'invalid-request',
      ],
    ];
    for (const [frame] of bad) client.send(frame);
    client.socket.send(Buffer.from([1, 2, 3]));
    client.send({ op: 'ping' });
    await client.until(op('pong'));
    const codes = client.frames
      .filter(op('problem'))
      .map((frame) => (frame['problem'] as { code: string }).code);
    expect(codes).toEqual([...bad.map(([, code]) => code), 'malformed-json']);
    expect(client.frames[4]).toMatchObject({ id: 1, channel: 'sessions' });
  });

  test('a foreign session is an unknown one', async () => {
    const id = await newSession();
    const eve = await at.stranger();
    await using client = dial({ headers: { authorization: `Bearer ${eve.token}` } });
    await client.open();
    client.send({ op: 'subscribe', id: 1, channel: `session/${id}` });
    expect(await client.until(op('problem'))).toMatchObject({ problem: { code: 'not-found' } });
  });

  test('a frame that is too long ends its own socket only', async () => {
    await using other = dial();
    await using client = dial();
    await Promise.all([client.open(), other.open()]);
    client.send('x'.repeat(70_000));
    expect(await client.closed).toBe(1009);
    other.send({ op: 'ping' });
    await other.until(op('pong'));
  });

  test('a reader that stops reading is told to resync, and memory stays bounded', async () => {
    const id = await newSession();
    await using client = dial();
    await client.open();
    client.send({ op: 'subscribe', id: 1, channel: `session/${id}`, after: 0 });
    await client.until(op('live'));
    client.socket.pause();
    for (let n = 0; n < 30 && (await subscriptions()) !== '0'; n++)
      await at.script.append(id, 500, 1000);
    expect(await subscriptions()).toBe('0');
    client.socket.resume();
    const resync = await client.until(op('resync'));
    expect(resync['channel']).toBe(`session/${id}`);
    const seqs = seqsOf(client.frames);
    expect(seqs).toEqual(seqs.map((_, n) => n + 1));
  });
});

describe('lists', () => {
  test('sessions: a snapshot, then changes in batches, then removals', async () => {
    const id = await newSession('before');
    await using client = dial();
    await client.open();
    client.send({ op: 'subscribe', id: 7, channel: 'sessions' });
    const first = await client.until(op('sessions'));
    expect(first).toMatchObject({ id: 7, complete: true, remove: [] });
    expect((first['upsert'] as { id: string }[]).map((each) => each.id)).toContain(id);

    const reads = at.script.reads;
    let { version } = await at.sessions.get(at.owner, id);
    for (let n = 1; n <= 100; n++)
      ({ version } = await at.sessions.patch(at.owner, id, version, { title: `title ${n}` }));
    await client.until(
      (frame) => (frame['upsert'] as { title: string }[] | undefined)?.[0]?.title === 'title 100',
    );
    expect(at.script.reads - reads).toBeLessThan(50);
    await at.sessions.remove(at.owner, id);
    await client.until((frame) => (frame['remove'] as string[] | undefined)?.[0] === id);
  });

  test('another team hears nothing', async () => {
    const eve = await at.stranger();
    await using client = dial({ headers: { authorization: `Bearer ${eve.token}` } });
    await using own = dial();
    await Promise.all([client.open(), own.open()]);
    for (const each of [client, own]) {
      each.send({ op: 'subscribe', id: 1, channel: 'sessions' });
      await each.until(op('sessions'));
    }
    const id = await newSession('secret');
    await at.script.ask(id);
    await own.until((frame) => (frame['upsert'] as { id: string }[])[0]?.id === id);
    client.send({ op: 'ping' });
    await client.until(op('pong'));
    expect(JSON.stringify(client.frames)).not.toContain(id);
  });

  test('approvals: those that wait; an answered one is removed', async () => {
    const id = await newSession();
    const old = await at.script.ask(id);
    await using client = dial();
    await client.open();
    client.send({ op: 'subscribe', id: 1, channel: 'approvals' });
    const first = await client.until(op('approvals'));
    expect(JSON.stringify(first)).toContain(old.id);
    const fresh = await at.script.ask(id);
    await client.until(
      (frame) => frame['complete'] !== true && JSON.stringify(frame).includes(fresh.id),
    );
    await at.approvals.decide(at.owner, old.id, { optionId: 'a', revision: 1 });
    await client.until((frame) => (frame['remove'] as string[] | undefined)?.[0] === old.id);
  });
});

describe('the terminal socket', () => {
  const open = async () => {
    const sessionId = await newSession();
    return at.terminals.open(at.owner, sessionId, { kind: 'shell', cols: 80, rows: 24 });
  };
  const attach = (id: string, query = '', how: Dial = {}) =>
    dial({ path: `/api/v1/terminals/${id}/attach${query}`, protocol: 'berth.terminal.v1', ...how });

  test('passes size and offset on, and bytes both ways', async () => {
    const { id } = await open();
    await using client = attach(id, '?cols=100&rows=30&offset=5');
    await client.open();
    const keys = encodeTerminalFrame({ type: 'keys', bytes: Buffer.from('ls\n') });
    client.socket.send(keys);
    await expect.poll(() => client.bytes.length).toBe(1);
    expect(decodeTerminalFrame(client.bytes[0] ?? keys, 'viewer')).toMatchObject({ type: 'keys' });
    expect(at.terminals.attached.at(-1)).toMatchObject({
      terminalId: id,
      at: { cols: 100, rows: 30, offset: 5 },
    });
    client.socket.send(Buffer.from('\0exit'));
    expect(await client.closed).toBe(1000);
  });

  test('an unknown and a foreign terminal are 4404; a wrong size is 400', async () => {
    const { id } = await open();
    const eve = await at.stranger();
    await using unknown = attach(at.newId());
    expect(await unknown.closed).toBe(4404);
    await using foreign = attach(id, '', { headers: { authorization: `Bearer ${eve.token}` } });
    expect(await foreign.closed).toBe(4404);
    await using size = attach(id, '?cols=0');
    expect(await size.refused).toBe(400);
    await using malformed = attach('x');
    expect(await malformed.refused).toBe(404);
  });

  test('a ticket is for its terminal, and reading alone does not do', async () => {
    const { id } = await open();
    const other = await at.identity.createTicket(at.owner, 'terminal', at.newId());
    await using wrong = attach(id, `?ticket=${other.ticket}`, { headers: {} });
    expect(await wrong.closed).toBe(4401);
    const ticket = await at.identity.createTicket(at.owner, 'terminal', id);
    await using right = attach(id, `?ticket=${ticket.ticket}`, { headers: {} });
    await right.open();
    const { token } = await at.identity.createToken(at.owner, { name: 'r', scopes: ['read'] });
    await using reader = attach(id, '', { headers: { authorization: `Bearer ${token}` } });
    expect(await reader.closed).toBe(4403);
  });

  test('a viewer that stops reading holds the flood back, and gets all of it later', async () => {
    const { id } = await open();
    at.terminals.floodBytes = 64 * 1024 * 1024;
    await using client = attach(id);
    client.socket.once('open', () => client.socket.pause());
    await client.open();
    await expect.poll(() => at.terminals.sent).toBeGreaterThan(0);
    let before = -1;
    await expect
      .poll(() => {
        const same = before === at.terminals.sent;
        before = at.terminals.sent;
        return same;
      })
      .toBe(true);
    expect(at.terminals.sent).toBeLessThan(32 * 1024 * 1024);
    client.socket.resume();
    const got = () => client.bytes.reduce((sum, each) => sum + each.length, 0);
    await expect.poll(got, { timeout: 20_000 }).toBe(at.terminals.floodBytes);
    at.terminals.floodBytes = 0;
  });
});

test('broken sockets break nothing', async () => {
  const { port } = new URL(at.url);
  const upgrade = [
    'GET /api/v1/channels HTTP/1.1',
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
  ];
  const raw = (lines: string[], after = '') =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1');
      let got = '';
      socket.on('data', (chunk) => (got += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
      socket.write([...lines, '', ''].join('\r\n') + after);
      setTimeout(() => socket.destroy(), 300);
    });
  expect(await raw(upgrade)).toContain('HTTP/1.1 400');
  const good = [
    ...upgrade,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: berth.channels.v1',
    `Authorization: Bearer ${at.token}`,
  ];
  // Reserved bits, unmasked frames, half a frame.
  for (const bytes of ['\xff\xff\xff', '\x81\x05hello', '\x81\xff'])
    expect(await raw(good, bytes)).toContain('101 Switching Protocols');
  expect((await at.call('GET', '/healthz')).status).toBe(200);
});

test('draining closes sockets with 1012', async () => {
  const other = await setUp();
  const socket = new WebSocket(
    `${other.url.replace('http', 'ws')}/api/v1/channels`,
    ['berth.channels.v1'],
    { headers: { authorization: `Bearer ${other.token}` } },
  );
  await once(socket, 'open');
  const closed = once(socket, 'close');
  await other.web.drain(1_000);
  expect((await closed)[0]).toBe(1012);
  await other[Symbol.asyncDispose]();
});

test('a runner’s link does not keep the server from draining and closing', async () => {
  const other = await setUp();
  const link = connect(Number(new URL(other.url).port), '127.0.0.1');
  const lost = once(link, 'close');
  link.write(
    ['GET /api/v1/runner HTTP/1.1', 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket']
      .concat('', '')
      .join('\r\n'),
  );
  expect(String((await once(link, 'data'))[0])).toContain('101');
  link.resume();
  await other.web.drain(60_000);
  await other[Symbol.asyncDispose]();
  await lost;
});
