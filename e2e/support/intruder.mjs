// Runs inside a sandbox and does its worst to the runner's socket: first as a second agentd, then as a broken one, then as very many.
import net from 'node:net';

const path = '/run/berth/agentd.sock';
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const frame = (type, id, body) => {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(body.length + 5, 0);
  head[4] = type;
  head.writeUInt32LE(id, 5);
  return Buffer.concat([head, body]);
};
const control = (id, value) => frame(0, id, Buffer.from(JSON.stringify(value)));

function dial() {
  const socket = net.connect(path);
  const state = { heard: 0, closed: false, socket };
  socket.on('data', (chunk) => (state.heard += chunk.length));
  socket.on('error', () => undefined);
  socket.on('close', () => (state.closed = true));
  return state;
}

// 1. It poses as agentd, while agentd is there, and listens: prompts and what people type would come this way.
const second = dial();
second.socket.write(control(0, { op: 'hello', version: 1, pid: 2, startedAtMs: 0, processes: [] }));
await wait(1500);
console.log(`intruder: heard ${second.heard} bytes, ${second.closed ? 'sent away' : 'let in'}`);
second.socket.destroy();

// 2. It says what no agentd says.
const hello = (more) => control(0, { op: 'hello', version: 1, pid: 2, startedAtMs: 0, ...more });
const nonsense = [
  Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  Buffer.from([255, 255, 255, 255, 0]),
  Buffer.from([0, 0, 0, 0]),
  control(0, null),
  control(0, 'x'),
  control(0, {}),
  frame(0, 0, Buffer.from('{')),
  frame(2, 1, Buffer.alloc(3)),
  frame(2, 1, Buffer.alloc(8, 255)),
  hello({}),
  hello({ processes: [null] }),
  hello({ processes: [{ id: -1 }, { id: 'x' }] }),
  hello({
    processes: [{ id: 4294967295, tag: 'agent', pid: 1, pty: false, ringFrom: 0, outputTo: 0 }],
  }),
  hello({
    processes: Array.from({ length: 10_000 }, (_, id) => ({
      id: id + 100,
      tag: 'terminal:../../x',
      pid: 1,
      pty: true,
      ringFrom: 1e300,
      outputTo: -1,
      cols: 1e9,
      rows: 1e9,
    })),
  }),
  ...[1, 2, 3, 4, 5].map((id) =>
    control(id, { op: 'exited', code: 'x', signal: {}, outputTo: null }),
  ),
];
for (const bytes of nonsense) {
  const one = dial();
  one.socket.write(bytes);
  await wait(20);
  one.socket.destroy();
}

// 3. Many, and half a frame in each.
const many = [];
for (let index = 0; index < 3000; index++) {
  const one = dial();
  one.socket.write(Buffer.from([0, 0, 64, 0, 0, 1]));
  many.push(one);
  if (index % 50 === 0) await wait(5);
}
await wait(1000);
for (const one of many) one.socket.destroy();
console.log('intruder: done');
