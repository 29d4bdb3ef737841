import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { helloBytesMax, readGreeting } from './client-hello.ts';

/** The first flight of Node's own TLS client. */
async function recordHello(servername: string): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername,
  });
  client.on('error', () => client.destroy());
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

let hello: Buffer;
let nameless: Buffer;
beforeAll(async () => {
  hello = await recordHello('api.example.com');
  nameless = await recordHello('');
});

test('reads the name', () => {
  expect(readGreeting(hello)).toEqual({ kind: 'name', name: 'api.example.com' });
  expect(readGreeting(nameless)).toEqual({ kind: 'no-name' });
});

test('every proper prefix asks for more', () => {
  for (let length = 0; length < hello.length; length += 1) {
    expect(readGreeting(hello.subarray(0, length))).toEqual({ kind: 'more' });
  }
});

test('a greeting spread over small records is the same greeting', () => {
  const body = hello.subarray(5);
  for (const size of [1, 7, 100]) {
    const records: Buffer[] = [];
    for (let at = 0; at < body.length; at += size) {
      const part = body.subarray(at, at + size);
      records.push(Buffer.from([0x16, 0x03, 0x01, part.length >> 8, part.length & 0xff]), part);
    }
    expect(readGreeting(Buffer.concat(records))).toEqual({ kind: 'name', name: 'api.example.com' });
  }
});

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['SSH', Buffer.from('SSH-2.0-x\r\n')],
  ['a handshake that is no ClientHello', Buffer.from([0x16, 3, 1, 0, 4, 2, 0, 0, 0])],
])('%s is not TLS', (_name, bytes) => {
  expect(readGreeting(bytes)).toEqual({ kind: 'not-tls' });
});

test('a greeting that never ends is cut off', () => {
  const endless = Buffer.alloc(helloBytesMax + 5, 0);
  Buffer.from([0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xff]).copy(endless);
  expect(readGreeting(endless).kind).not.toBe('name');
  expect(readGreeting(endless).kind).not.toBe('more');
});

test('no bytes make it throw, and damage never invents a name', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      (bytes) => void readGreeting(Buffer.from(bytes)),
    ),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(hello);
      damaged[at] = value;
      expect(['name', 'no-name', 'not-tls', 'more']).toContain(readGreeting(damaged).kind);
    }),
    { numRuns: 3000 },
  );
});
