import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { connectNode, connectTrusting } from './node-socket.ts';
import { fetchTrusting, readCaFile, withUsual } from './trust.ts';

const dir = mkdtempSync(join(tmpdir(), 'berth-trust-'));
const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'ca.pem')];
let server: Server;
let url: string;
let closeSockets: () => void;

beforeAll(async () => {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=berth', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-days', '2', ...curve, ...names, '-keyout', key, '-out', certificate],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  server = createServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    (request, response) => {
      if (request.url === '/nothing') {
        response.writeHead(204).end();
        return;
      }
      response.writeHead(request.url === '/refused' ? 409 : 200, {
        'content-type': 'text/plain',
        'x-asked': `${request.method ?? ''} ${request.headers['content-type'] ?? ''}`,
      });
      request.pipe(response);
    },
  );
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'p' });
  sockets.on('connection', (socket) => socket.send('hello'));
  closeSockets = () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  };
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  closeSockets();
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});
const trusting = () => fetchTrusting(withUsual(readCaFile(certificate)));

describe('a server whose certificate a private authority signed', () => {
  test('is refused without its file, and answers with it', async () => {
    await expect(fetch(`${url}/`)).rejects.toThrow();
    await expect(fetchTrusting(withUsual(''))(`${url}/`, {})).rejects.toMatchObject({
      code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/) as unknown,
    });
    expect((await trusting()(`${url}/`, {})).status).toBe(200);
  });
  test('gets body, type and method; gives status, headers and a body that streams', async () => {
    const answer = await trusting()(`${url}/refused`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a":1}',
    });
    expect(answer.status).toBe(409);
    expect(answer.headers.get('x-asked')).toBe('POST application/json');
    expect(await answer.text()).toBe('{"a":1}');
    const streamed = await trusting()(`${url}/`, {
      method: 'PUT',
      body: new Response('one two').body,
      ...{ duplex: 'half' },
    });
    expect(await streamed.text()).toBe('one two');
    expect((await trusting()(`${url}/nothing`, { method: 'DELETE' })).status).toBe(204);
  });
  test('an abandoned request ends', async () => {
    await expect(trusting()(`${url}/`, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
  test('sockets likewise', async () => {
    const first = (connect: typeof connectNode) =>
      new Promise<string>((resolve) => {
        const socket = connect(
          url.replace('https', 'wss'),
          ['p'],
          {},
          {
            open: () => undefined,
            message: (data) => {
              resolve(String(data));
              socket.close();
            },
            alive: () => undefined,
            close: (code) => resolve(`closed ${code}`),
          },
        );
      });
    expect(await first(connectNode)).toBe('closed 1006');
    expect(await first(connectTrusting(withUsual(readCaFile(certificate))))).toBe('hello');
  });
});

test('a file that is missing, or holds no certificate, is said in one sentence', () => {
  expect(() => readCaFile(join(dir, 'gone.pem'))).toThrow(/gone\.pem cannot be read/);
  expect(() => readCaFile(key)).toThrow(/holds no certificate/);
  const broken = join(dir, 'broken.pem');
  writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n');
  expect(() => readCaFile(broken)).toThrow(/cannot be read/);
});
