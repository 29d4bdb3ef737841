import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openWire, type Cut, type Wire } from './wire.ts';

let scope = new AsyncDisposableStack();
afterEach(async () => {
  await scope.disposeAsync();
  scope = new AsyncDisposableStack();
});

/** A server that keeps what it hears of each connection, and a wire to it. */
async function world(): Promise<{ wire: Wire; heard: string[]; dial: () => Promise<Socket> }> {
  const heard: string[] = [];
  const server = createServer((socket) => {
    const at = heard.push('') - 1;
    socket.on('data', (chunk: Buffer) => (heard[at] = `${heard[at] ?? ''}${chunk.toString()}`));
    socket.on('error', () => undefined); // that is what is tested
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const wire = scope.use(await openWire(() => ({ port })));
  return {
    wire,
    heard,
    async dial() {
      const socket = connect(wire.port, '127.0.0.1');
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      scope.defer(() => void socket.destroy());
      await once(socket, 'connect');
      return socket;
    },
  };
}
async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('it did not hold in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.each<Cut>(['stall', 'delay'])('%s: everything comes, later and in its order', async (how) => {
  const { wire, heard, dial } = await world();
  const socket = await dial();
  socket.write('first;');
  await until(() => heard[0] === 'first;');
  const over = wire.strike(how, 100);
  let said = 'first;';
  for (let n = 0; n < 200; n++) {
    said += `${String(n)};`;
    socket.write(`${String(n)};`);
    if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(heard[0]).not.toBe(said);
  expect(await over).toBe(true);
  await until(() => heard[0] === said);
});

test.each<[Cut, string]>([
  ['cut', ''],
  ['mid-frame', 'half '],
  ['refuse', ''],
])('%s: the connection ends', async (how, more) => {
  const { wire, heard, dial } = await world();
  const socket = await dial();
  socket.write('first;');
  await until(() => heard[0] === 'first;');
  const ended = new Promise((resolve) => socket.once('close', resolve));
  const over = wire.strike(how, 50);
  if (how === 'mid-frame') socket.write('half of it');
  await ended;
  expect(heard[0]).toBe(`first;${more}`);
  await over;
  const again = await dial();
  again.write('again');
  await until(() => heard.at(-1) === 'again');
});

test('double: what was said is said again by somebody else, and the connection lives', async () => {
  const { wire, heard, dial } = await world();
  const socket = await dial();
  socket.write('once;');
  await until(() => heard[0] === 'once;');
  const over = wire.strike('double', 50);
  await until(() => heard[1] === 'once;');
  await over;
  socket.write('more');
  await until(() => heard[0] === 'once;more');
});

test('nobody there: nothing to strike', async () => {
  const { wire } = await world();
  expect(await wire.strike('cut', 10)).toBe(false);
});
