import { createHash } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../clock.ts';
import { parseTrusted } from './addresses.ts';
import type { EgressRecord } from './messages.ts';
import { createProxy, type Proxy } from './proxy.ts';

// A pre-shared key instead of a certificate: real TLS with a server name, without anything to generate.
const psk = { psk: Buffer.alloc(32, 7), identity: 'test' };
const pskOptions = {
  ciphers: 'PSK',
  maxVersion: 'TLSv1.2' as const,
  minVersion: 'TLSv1.2' as const,
};

let directory: string;
let socketPath: string;
let upstream: tls.Server;
let proxy: Proxy;
let records: EgressRecord[];
let answers: Record<string, LookupAddress[]>;
let port: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-proxy-'));
  socketPath = join(directory, 'egress.sock');
  records = [];
  upstream = tls.createServer({ ...pskOptions, pskCallback: () => psk.psk }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  port = (upstream.address() as AddressInfo).port;
  answers = {
    'echo.test': [{ address: '127.0.0.1', family: 4 }],
    'inside.test': [{ address: '127.0.0.2', family: 4 }],
    'mapped.test': [{ address: '::ffff:10.0.0.1', family: 6 }],
  };
  proxy = createProxy({
    clock: systemClock,
    trusted: parseTrusted(`127.0.0.1@${String(port)}`),
    record: (entry) => records.push(entry),
    // Fake names, real sockets: the check sits on what this answers.
    resolve: ((
      name: string,
      _options: unknown,
      done: (error: Error | null, found: LookupAddress[]) => void,
    ) => {
      const found = answers[name];
      if (found === undefined) done(new Error('ENOTFOUND'), []);
      else done(null, found);
    }) as never,
  });
  proxy.setPolicy({
    sessionId: 'one',
    teamId: 'team',
    tokenHash: createHash('sha256').update('token').digest('base64'),
    allow: ['echo.test', 'inside.test', 'mapped.test', 'nowhere.test'],
  });
  await proxy.listen(socketPath);
});
afterEach(async () => {
  await proxy.close();
  upstream.close();
  await rm(directory, { recursive: true });
});

/** Dials the proxy as the runner does and sends `text`. */
async function dial(text: string, preamble = 'BERTH/1 one token\n'): Promise<net.Socket> {
  const socket = net.connect(socketPath);
  await once(socket, 'connect');
  socket.write(preamble + text);
  return socket;
}
/** All that comes until the end, or null when the connection was cut without a byte. */
async function answer(socket: net.Socket): Promise<string | null> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => socket.destroy());
  await once(socket, 'close');
  return text === '' ? null : text;
}
async function connect(host: string): Promise<net.Socket> {
  const socket = await dial(`CONNECT ${host}:${String(port)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toContain('200 Connection Established');
  return socket;
}
const recorded = () => expect.poll(() => records, { timeout: 5000 });

test('a listed host is tunnelled, bytes both ways, and recorded without its content', async () => {
  const socket = await connect('echo.test');
  const secure = tls.connect({
    ...pskOptions,
    socket,
    servername: 'echo.test',
    pskCallback: () => psk,
    checkServerIdentity: () => undefined,
  });
  await once(secure, 'secureConnect');
  const sent = Buffer.alloc(300_000, 'x');
  let got = 0;
  secure.on('data', (chunk: Buffer) => (got += chunk.length));
  secure.write(sent);
  await expect.poll(() => got).toBe(sent.length);
  secure.destroy();
  await recorded().toHaveLength(1);
  expect(records[0]).toMatchObject({
    sessionId: 'one',
    teamId: 'team',
    host: 'echo.test',
    port,
    outcome: 'tunnelled',
    address: '127.0.0.1',
  });
  expect(records[0]?.bytesUp).toBeGreaterThan(sent.length);
  expect(records[0]?.bytesDown).toBeGreaterThan(sent.length);
});

test('the greeting may come in single bytes', async () => {
  const socket = await connect('ECHO.test.');
  const near = net.createServer();
  near.listen(0, '127.0.0.1');
  await once(near, 'listening');
  const client = tls.connect({
    ...pskOptions,
    port: (near.address() as AddressInfo).port,
    servername: 'echo.test',
    pskCallback: () => psk,
    checkServerIdentity: () => undefined,
  });
  const [relay] = (await once(near, 'connection')) as [net.Socket];
  relay.on('data', (chunk: Buffer) => {
    for (const byte of chunk) socket.write(Buffer.from([byte]));
  });
  socket.pipe(relay);
  await once(client, 'secureConnect');
  client.destroy();
  socket.destroy();
  relay.destroy();
  near.close();
  await recorded().toMatchObject([{ outcome: 'tunnelled' }]);
});

test.each([
  ['an unlisted host', 'evil.test', 403, 'evil.test is not on the egress list'],
  [
    'a name that leads inside',
    'inside.test',
    403,
    'inside.test leads to an address that is not public',
  ],
  [
    'a mapped private address',
    'mapped.test',
    403,
    'mapped.test leads to an address that is not public',
  ],
  ['a name without an address', 'nowhere.test', 502, 'nowhere.test has no address'],
])('%s is refused with its reason', async (_name, host, status, reason) => {
  const text = await answer(await dial(`CONNECT ${host}:${String(port)} HTTP/1.1\r\n\r\n`));
  expect(text).toContain(`HTTP/1.1 ${String(status)} `);
  expect(text).toContain(`x-berth: ${reason}`);
  expect(records).toMatchObject([{ host, reason, outcome: status === 403 ? 'denied' : 'failed' }]);
});

test('an address literal and a closed port are refused', async () => {
  expect(await answer(await dial('CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n'))).toContain('403');
  expect(await answer(await dial('CONNECT echo.test:22 HTTP/1.1\r\n\r\n'))).toContain(
    'port 22 is not open',
  );
});

test('another server name than the CONNECT host is cut before a byte reaches the host', async () => {
  let reached = 0;
  upstream.on('connection', (arrived: net.Socket) => arrived.on('data', () => (reached += 1)));
  const socket = await connect('echo.test');
  const secure = tls.connect({
    ...pskOptions,
    socket,
    servername: 'evil.test',
    pskCallback: () => psk,
  });
  secure.on('error', () => secure.destroy());
  await new Promise((done) => secure.on('close', done));
  await recorded().toMatchObject([
    { outcome: 'denied', reason: 'the TLS server name is another host' },
  ]);
  expect(reached).toBe(0);
});

test('plain text inside a tunnel is cut', async () => {
  const socket = await connect('echo.test');
  socket.write('GET / HTTP/1.1\r\nHost: echo.test\r\n\r\n');
  await answer(socket);
  expect(records).toMatchObject([{ outcome: 'denied', reason: 'not TLS, or no server name' }]);
});

test('plain HTTP through the proxy is refused', async () => {
  const text = await answer(
    await dial('GET http://echo.test/secret?q=1 HTTP/1.1\r\nHost: echo.test\r\n\r\n'),
  );
  expect(text).toContain('403');
  expect(JSON.stringify(records)).not.toContain('secret');
});

test.each([
  ['a wrong token', 'BERTH/1 one wrong\n'],
  ['an unknown session', 'BERTH/1 two token\n'],
  ['another protocol', 'PROXY TCP4 1.2.3.4\n'],
  ['an endless first line', 'x'.repeat(300)],
  ['no preamble at all', 'CONNECT echo.test:443 HTTP/1.1\r\n'],
])('%s is cut without an answer', async (_name, preamble) => {
  expect(await answer(await dial('CONNECT echo.test:443 HTTP/1.1\r\n\r\n', preamble))).toBeNull();
  expect(records).toEqual([]);
});

test('a session that is forgotten loses its tunnels and gets no more', async () => {
  const socket = await connect('echo.test');
  const secure = tls.connect({
    ...pskOptions,
    socket,
    servername: 'echo.test',
    pskCallback: () => psk,
    checkServerIdentity: () => undefined,
  });
  await once(secure, 'secureConnect');
  secure.on('error', () => secure.destroy());
  proxy.forget('one');
  await once(secure, 'close');
  expect(await answer(await dial('CONNECT echo.test:443 HTTP/1.1\r\n\r\n'))).toBeNull();
});

test('a client that leaves while the host is dialled leaves one record', async () => {
  answers['echo.test'] = [{ address: '127.0.0.1', family: 4 }];
  upstream.close();
  const socket = await dial(`CONNECT echo.test:${String(port)} HTTP/1.1\r\n\r\n`);
  expect(await answer(socket)).toContain('502');
  expect(records).toMatchObject([{ outcome: 'failed', reason: 'echo.test could not be reached' }]);
});
