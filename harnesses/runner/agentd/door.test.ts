import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  AgentdFrameReader,
  agentdFrame,
  encodeAgentdFrame,
  type AgentdReply,
} from '../../agentd/protocol.ts';
import { limits } from '../limits.ts';
import { createDoor } from './door.ts';
import type { Door } from './ports.ts';

let dir: string;
let door: Door;
let told: string[];
const logged: string[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-door-'));
  told = [];
  door = await createDoor({
    socketDir: dir,
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    events: {
      here: () => told.push('here'),
      gone: () => told.push('gone'),
      foreign: (version) => told.push(`foreign ${String(version)}`),
    },
    log: (_fields, message) => logged.push(message),
  });
  door.start();
});
afterEach(async () => {
  await door[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const hello = {
  op: 'hello',
  version: 1,
  pid: 2,
  startedAtMs: 0,
  place: { workspace: '/workspace', home: '/home/agent', node: '/opt/node/bin/node' },
  processes: [],
};
const control = (id: number, value: unknown): Buffer =>
  encodeAgentdFrame(agentdFrame.control, id, Buffer.from(JSON.stringify(value)));

async function dial(): Promise<{ socket: Socket; heard: unknown[]; closed: Promise<unknown> }> {
  const socket = connect(join(dir, 'agentd.sock'));
  const heard: unknown[] = [];
  const reader = new AgentdFrameReader();
  socket.on('data', (chunk: Buffer) =>
    reader.push(chunk, (_type, _id, body) => heard.push(JSON.parse(body.toString()))),
  );
  socket.on('error', () => undefined);
  const closed = new Promise((done) => socket.once('close', done));
  await once(socket, 'connect');
  return { socket, heard, closed };
}
async function eventually(check: () => boolean): Promise<void> {
  for (let tries = 0; !check(); tries++) {
    if (tries > 200) throw new Error('it did not happen');
    await new Promise((done) => setTimeout(done, 10));
  }
}
async function agentd(): ReturnType<typeof dial> {
  const it = await dial();
  await eventually(() => it.heard.length > 0);
  it.socket.write(control(0, hello));
  await eventually(() => door.here);
  return it;
}

test('who comes while agentd is there is sent away and hears nothing; agentd stays', async () => {
  const real = await agentd();
  const intruder = await dial();
  intruder.socket.write(control(0, hello));
  await intruder.closed;
  expect(intruder.heard).toEqual([]);
  expect(door.here).toBe(true);
  const asked = door.ask({ op: 'list', path: '/workspace' });
  await eventually(() => real.heard.length === 2);
  real.socket.write(control(1, { op: 'list', items: [] } satisfies AgentdReply));
  expect(await asked).toEqual({ op: 'list', items: [] });
  expect(told).toEqual(['here']);
  real.socket.destroy();
});

test('a connection that says nothing does not keep agentd out', async () => {
  const silent = await dial();
  const real = await agentd();
  await silent.closed;
  expect(door.here).toBe(true);
  real.socket.destroy();
});

test('agentd that comes back is let in again', async () => {
  (await agentd()).socket.destroy();
  await eventually(() => told.includes('gone'));
  const back = await agentd();
  expect(told).toEqual(['here', 'gone', 'here']);
  back.socket.destroy();
});

test('whoever waits for the end of a process is told that it is lost when the door closes', async () => {
  const real = await agentd();
  const ended: unknown[] = [];
  const spawned = door.spawn(
    { tag: 'agent:1', argv: ['agent'], env: {} },
    { output: () => undefined, exited: (exit, lost) => ended.push({ exit, lost }) },
  );
  await eventually(() => real.heard.length === 2);
  real.socket.write(control(1, { op: 'started', pid: 7 } satisfies AgentdReply));
  await spawned;
  real.socket.destroy();
  await eventually(() => told.includes('gone'));
  expect(ended).toEqual([]); // it may come back with the process
  await door[Symbol.asyncDispose]();
  expect(ended).toEqual([{ exit: { code: null, signal: null }, lost: true }]);
});

test.each<[string, Buffer]>([
  ['says so', control(0, { op: 'other-version', version: 7 })],
  ['greets with it', control(0, { ...hello, version: 7 })],
])('an agentd of another version that %s is told once, and never let in', async (_how, bytes) => {
  for (let times = 0; times < 3; times++) {
    const other = await dial();
    other.socket.write(bytes);
    await other.closed;
  }
  expect(told).toEqual(['foreign 7']);
  expect(door.here).toBe(false);
});

test('an agentd so old that it only hangs up is told too; one that hangs up now and then is not', async () => {
  for (let times = 0; times < limits.hungUpMax - 1; times++) {
    const old = await dial();
    old.socket.end();
    await old.closed;
  }
  await eventually(() => told.length === 0);
  (await agentd()).socket.destroy();
  await eventually(() => told.length === 2);
  for (let times = 0; times < limits.hungUpMax; times++) {
    const old = await dial();
    old.socket.end();
    await old.closed;
  }
  await eventually(() => told.includes('foreign null'));
  expect(told).toEqual(['here', 'gone', 'foreign null']);
});

test.each<[string, Buffer]>([
  ['no frame', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a length that cannot be', Buffer.from([255, 255, 255, 255, 0])],
  ['null', control(0, null)],
  ['half of JSON', encodeAgentdFrame(agentdFrame.control, 0, Buffer.from('{'))],
  ['a hello without processes', control(0, { ...hello, processes: undefined })],
  ['a process that is null', control(0, { ...hello, processes: [null] })],
  [
    'an id that ids cannot follow',
    control(0, {
      ...hello,
      processes: [{ id: 2 ** 32 - 1, tag: 'x', pid: 1, pty: false, ringFrom: 0, outputTo: 0 }],
    }),
  ],
  ['an exit code in words', control(1, { op: 'exited', code: 'x', signal: null, outputTo: 0 })],
  ['bytes without an offset', encodeAgentdFrame(agentdFrame.output, 1, Buffer.alloc(3))],
  ['an offset beyond all', encodeAgentdFrame(agentdFrame.output, 1, Buffer.alloc(16, 255))],
])('%s ends the connection, and nothing else', async (_name, bytes) => {
  const broken = await dial();
  broken.socket.write(bytes);
  await broken.closed;
  expect(door.here).toBe(false);
  expect(told).toEqual([]);
  expect(logged).toContain('agentd broke its protocol');
  (await agentd()).socket.destroy();
});
