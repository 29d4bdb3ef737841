import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { attachTerminal } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { runnerPid, startBerth, until, type Berth } from './support/berth.ts';
import { watchMemory, type Watched } from './support/memory.ts';
import { ownAgent, runsBeside } from './support/own-agent.ts';
import { autoAgent, follow, idle, replay, say, status } from './support/talk.ts';

/*
 * However much a terminal prints or an agent says, and whether or not anybody reads it: runner and control plane take no more memory than their queues hold.
 * What goes through is many times that. BERTH_FLOOD=10 makes it ten times as much.
 */
const factor = Number(process.env['BERTH_FLOOD'] ?? '1');
/** What goes through a terminal, and what an agent says in one turn. */
const printedMb = 300 * factor;
const saidMb = 100 * factor;
/** Measured with 100 MB said: 407 and 435. Queues (64 MB of the log, in several forms), pieces in flight, and what V8 leaves lying on a machine with room. */
const mostMb = { 'control plane': 900, runner: 700 } as const;

let berth: Berth;
let memory: Watched;
let agentId: string;
beforeAll(async () => {
  berth = await startBerth();
  const own = await ownAgent(berth);
  const script = join(import.meta.dirname, 'support', 'loud-agent.mjs');
  await own.beside('loud.mjs', await readFile(script));
  await own.install(runsBeside('loud.mjs'));
  const made = { name: 'loud', harness: 'opencode', model: 'any', mode: 'auto' } as const;
  agentId = (await berth.client.agents.create(made)).id;
  // Once through everything: what is loaded and compiled at first is no growth.
  const { id } = await session();
  await say(berth, id, `text 20 100000`);
  await terminalOf(id, 'head -c 20M /dev/zero | tr "\\0" "x"', 20);
});
afterAll(() => berth[Symbol.asyncDispose]());
beforeEach(async () => {
  const runner = (await runnerPid(berth.dataDir)) ?? 0;
  memory = await watchMemory({ 'control plane': berth.pid, runner });
});
afterEach(({ task }) => {
  memory.stop();
  console.info(task.name, memory.grown);
  for (const [name, limit] of Object.entries(mostMb))
    expect(memory.grown[name]?.most, name).toBeLessThan(limit);
});

async function session(agent = agentId) {
  const { id } = await berth.client.sessions.create({ agentId: agent });
  return idle(berth, id);
}
const size = { cols: 80, rows: 24 };

/** A shell that prints, and a viewer that reads all of it. */
async function terminalOf(sessionId: string, command: string, mb: number): Promise<void> {
  const terminal = await berth.client.terminals.open(sessionId, { kind: 'shell', ...size });
  const terminalId = terminal.id;
  const attached = attachTerminal({ client: berth.client, connect: connectNode, terminalId, size });
  let read = 0;
  let end = '';
  attached.onBytes((bytes) => {
    read += bytes.length;
    end = (end + Buffer.from(bytes.subarray(-1000)).toString('latin1')).slice(-1000);
  });
  const keys = Buffer.from(`${command}; echo the-""end\n`);
  await until(() => attached.write(keys), 10_000, 'the first key');
  await until(() => end.includes('the-end'), 240_000, 'the end of the flood');
  attached.close();
  expect(read).toBeGreaterThan(mb * 2 ** 20); // it was not spared by skipping
}

const dial = async (path: string, protocol: string): Promise<WebSocket> => {
  const socket = new WebSocket(`${berth.url.replace('http', 'ws')}${path}`, protocol, {
    headers: { authorization: `Bearer ${berth.token}` },
  });
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return socket;
};
/** Viewers of a session's events that were there and read no more. */
async function deafViewers(sessionId: string, count: number): Promise<WebSocket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = await dial('/api/v1/channels', 'berth.channels.v1');
      const channel = `session/${sessionId}`;
      socket.send(JSON.stringify({ op: 'subscribe', id: '1', channel, after: 0 }));
      await once(socket, 'message');
      socket.pause();
      return socket;
    }),
  );
}

describe('a terminal', () => {
  const lines = `yes "$(printf '\\033[1;3%dm%s\\033[0m ' 1 one 2 two 3 three)" | head -c ${String(printedMb)}M`;
  test('with a viewer that reads', async () => {
    const { id } = await session();
    await terminalOf(id, lines, printedMb);
  });

  test('with viewers that stopped reading, and one that never came', async () => {
    const { id } = await session((await autoAgent(berth)).id);
    const terminal = await berth.client.terminals.open(id, { kind: 'shell', ...size });
    const path = `/api/v1/terminals/${terminal.id}/attach?cols=80&rows=24`;
    const sockets = await Promise.all([1, 2, 3, 4].map(() => dial(path, 'berth.terminal.v1')));
    const typed = Buffer.from(`${lines}; echo en""ded\n`);
    for (const socket of sockets) socket.pause();
    sockets[0]?.send(Buffer.concat([Buffer.from([0]), typed]));
    expect((await say(berth, id, '/say meanwhile', 60)).reply).toBe('meanwhile');
    const ended = async () =>
      (await berth.client.terminals.screen(terminal.id)).text.includes('ended');
    await until(ended, 240_000, 'the end of what nobody read');
    for (const socket of sockets) socket.terminate();
  });
});

describe('an agent', () => {
  test.each([
    ['a text in pieces of 1 MB', `text ${String(saidMb)} 1000000`],
    ['thoughts in pieces of 10 MB', `thought ${String(saidMb / 10)} 10000000`],
    ['one tool whose output grows', `tool ${String(saidMb / 5)} 5000000`],
    ['many tools', `tools ${String(saidMb)} 1000000`],
    ['plans of 10 MB', `plan ${String(saidMb / 10)} 10000000`],
  ])('%s: all of it is stored once, whoever reads', async (_name, prompt) => {
    const { id } = await session();
    const deaf = await deafViewers(id, 4);
    const reader = follow(berth, id);
    const turn = await say(berth, id, prompt, 240);
    expect(turn.state).toBe('done');
    expect(turn.reply?.endsWith('the end')).toBe(true);
    expect(turn.reply?.length).toBeLessThan(5_000_000);
    const ended = () => reader.seen.some(({ kind }) => kind === 'turn.ended');
    await until(ended, 120_000, 'the reader has all of it');
    expect(reader.seqs).toEqual(reader.seqs.toSorted((a, b) => a - b));
    expect(new Set(reader.seqs).size).toBe(reader.seqs.length);
    const texts = reader.seen.flatMap((event) =>
      event.kind === 'message' || event.kind === 'thought' ? event.payload.content : [],
    );
    const bytes = texts.reduce((sum, block) => sum + ('text' in block ? block.text.length : 0), 0);
    if (/^te|^th/.test(prompt)) expect(bytes).toBeGreaterThan(saidMb * 1_000_000);
    reader.close();
    for (const socket of deaf) socket.terminate();
  });

  test('a line that is longer than any agent’s: it is stopped, and the session says why', async () => {
    const { id } = await session();
    const prompt = [{ type: 'text' as const, text: 'text 1 40000000' }];
    await berth.client.turns.create(id, { id: randomUUID(), prompt });
    expect((await status(berth, id, 'failed', 60_000)).reason).toContain('3 times within a minute');
    const phase = (await replay(berth, id)).findLast(({ kind }) => kind === 'sandbox.phase');
    expect(JSON.stringify(phase)).toContain('a line of more than 33554432 bytes');
  });
});
