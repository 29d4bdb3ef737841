/**
 * A terminal of the built product, seen by a viewer at its socket: a flood, a key and its echo, attaching, and the chat meanwhile. Beside it, in turns in
 * the same run: gotty, a PTY behind a WebSocket without sandbox, screen or reattachment.
 *
 *   node bench/terminal.ts [--mb=50] [--rounds=3] [--keys=300] [--attaches=30]
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import * as xterm from '@xterm/headless';
import { attachTerminal, type Attachment } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { runnerPid, startBerth, until } from '../e2e/support/berth.ts';
import { autoAgent, idle, text } from '../e2e/support/talk.ts';
import { ensureBuilt } from './support/built.ts';
import { startGotty } from './support/gotty.ts';
import { cpuOf } from './support/processes.ts';
import { option, report } from './support/report.ts';
import { median, percentile, summary } from './support/stats.ts';

const mb = option('mb', 50);
const rounds = option('rounds', 3);
const keys = option('keys', 300);
const attaches = option('attaches', 30);
const line = 'the quick brown fox jumps';
/** The mark is made by the shell, so that it is not in the echo of the command. */
const flood = `yes '${line}' | head -c ${String(mb * 1024 * 1024)}; echo flood-$((6*7))\n`;
const mark = 'flood-42';

/** One side's terminal: keys in, bytes out. */
interface Side {
  write(keys: string): void;
  onBytes: (bytes: Uint8Array) => void;
}

/** From the key that starts the flood until its end is seen; every byte is counted. */
async function floodMs(side: Side): Promise<{ ms: number; bytes: number }> {
  let bytes = 0;
  let end = '';
  const startedAt = performance.now();
  const seen = new Promise<void>((done) => {
    side.onBytes = (chunk) => {
      bytes += chunk.length;
      end = (end + Buffer.from(chunk.subarray(-64)).toString('latin1')).slice(-64);
      if (end.includes(mark)) done();
    };
  });
  side.write(flood);
  await seen;
  return { ms: performance.now() - startedAt, bytes };
}
/** A key and the byte that comes back for it, one at a time. */
async function echoMs(side: Side, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const startedAt = performance.now();
    const back = new Promise<void>((done) => {
      side.onBytes = () => done();
    });
    side.write('x');
    await back;
    times.push(performance.now() - startedAt);
    await new Promise((done) => setTimeout(done, 2));
  }
  return times;
}
async function quiet(side: Side): Promise<void> {
  let last = performance.now();
  side.onBytes = () => (last = performance.now());
  await until(() => performance.now() - last > 200, 30_000, 'a quiet terminal');
}

ensureBuilt();
await using berth = await startBerth({ env: { LOG_LEVEL: 'warn' } });
const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
await idle(berth, session.id);
const size = { cols: 80, rows: 24 };
const { id: terminalId } = await berth.client.terminals.open(session.id, {
  kind: 'shell',
  ...size,
});
const attach = (): Attachment =>
  attachTerminal({ client: berth.client, connect: connectNode, terminalId, size });
const attachment = attach();
const ours: Side = {
  write: (typed) => attachment.write(Buffer.from(typed)),
  onBytes: () => undefined,
};
attachment.onBytes((bytes) => ours.onBytes(bytes));
let screens = 0;
attachment.onScreen(() => (screens += 1));
await until(() => attachment.state.kind === 'connected', 10_000, 'the terminal');

await using gotty = await startGotty(['bash', '--norc']);
const theirs: Side = { write: () => undefined, onBytes: () => undefined };
const { write, close } = await gotty.open((bytes) => theirs.onBytes(bytes));
theirs.write = write;
for (const side of [ours, theirs]) await quiet(side);

const everyMs = 20;
const words = fork(join(import.meta.dirname, 'support', 'word-reader.ts'));
words.send({ url: berth.url, token: berth.token, sessionId: session.id, everyMs });
await once(words, 'message');

// Floods in turns; during ours, the chat streams a word every 20 ms.
const runner = (await runnerPid(berth.dataDir)) ?? 0;
/** Of the programs that a byte goes through, in its order; agentd, in the sandbox, is not seen from here. */
const programs = { runner, 'control plane': berth.pid, 'this viewer': process.pid };
const cpuNow = (): number[] => Object.values(programs).map((pid) => cpuOf(pid).cpuMs);
const floods: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
const late: number[] = [];
const lateAtRest: number[] = [];
let missing = 0;
const cpuMs = Object.keys(programs).map(() => 0);
for (let round = 0; round < rounds; round++) {
  floods.theirs.push((await floodMs(theirs)).ms);
  await quiet(theirs);
  const before = screens;
  const cpu = cpuNow();
  const { ms, bytes } = await chatDuring(late, () => floodMs(ours));
  for (const [at, now] of cpuNow().entries()) cpuMs[at] = (cpuMs[at] ?? 0) + now - (cpu[at] ?? 0);
  floods.ours.push(ms);
  // A viewer that fell behind would have been given the screen instead of the bytes.
  if (screens === before) missing += Math.max(0, mb * 1024 * 1024 - bytes);
  await quiet(ours);
  await chatDuring(lateAtRest, () => new Promise<void>((done) => setTimeout(done, 1500)));
}

/** Meanwhile the session's agent says a word every 20 ms; how much later than that each comes. */
async function chatDuring<T>(into: number[], work: () => Promise<T>): Promise<T> {
  words.send('begin');
  const first = once(words, 'message');
  await berth.client.turns.create(session.id, {
    id: randomUUID(),
    prompt: text(`/stream 2000 ${String(everyMs)}`),
  });
  await first;
  const result = await work();
  const seen = once(words, 'message') as Promise<[{ late: number[] }]>;
  words.send('end');
  into.push(...(await seen)[0].late);
  await berth.client.sessions.cancel(session.id);
  await idle(berth, session.id);
  return result;
}

// Keys, in a program that leaves the echo to the terminal.
for (const side of [ours, theirs]) {
  side.write('exec cat >/dev/null\n');
  await quiet(side);
}
const echo = { ours: [] as number[], theirs: [] as number[] };
for (const [name, side] of [
  ['theirs', theirs],
  ['ours', ours],
  ['theirs', theirs],
  ['ours', ours],
] as const) {
  await echoMs(side, 50);
  echo[name].push(...(await echoMs(side, keys / 2)));
}
close();

// Attaching to a screen with more than 1,000 lines behind it, until it is drawn.
const other = await berth.client.terminals.open(session.id, { kind: 'shell', ...size });
const { Terminal } = (xterm as unknown as { default: typeof xterm }).default;
const filler = attachTerminal({
  client: berth.client,
  connect: connectNode,
  terminalId: other.id,
  size,
});
let filled = '';
filler.onBytes((bytes) => (filled = (filled + Buffer.from(bytes).toString('latin1')).slice(-100)));
await until(
  () =>
    filler.write(
      Buffer.from(
        "for i in $(seq 3000); do printf '\\033[3%dm%s\\033[0m INFO request served path=/items/%d\\n' $((i%8)) $i $i; done; echo full-$((6*7))\n",
      ),
    ),
  10_000,
);
await until(() => filled.includes('full-42'), 60_000, 'a full terminal');
filler.close();
const drawn: number[] = [];
let screenBytes = 0;
for (let at = 0; at < attaches; at++) {
  const startedAt = performance.now();
  const one = attachTerminal({
    client: berth.client,
    connect: connectNode,
    terminalId: other.id,
    size,
  });
  await new Promise<void>((done) => {
    one.onScreen(({ cols, rows, bytes }) => {
      screenBytes = bytes.length;
      const terminal = new Terminal({ cols, rows, scrollback: 1000, allowProposedApi: true });
      terminal.write(bytes, () => {
        if (terminal.buffer.active.length < 1000) throw new Error('lines are missing');
        done();
      });
    });
  });
  drawn.push(performance.now() - startedAt);
  one.close();
}
attachment.close();
words.kill();

const floodSeconds = median(floods.ours) / 1000;
report(
  'terminal',
  [
    { what: `flood of ${String(mb)} MB to a viewer`, measured: floodSeconds, unit: 's' },
    { what: 'gotty, the same', measured: median(floods.theirs) / 1000, unit: 's' },
    {
      what: 'Berth / gotty',
      measured: median(floods.ours) / median(floods.theirs),
      unit: '×',
      target: { atMost: 1.5 },
    },
    {
      what: 'bytes that the viewer missed',
      measured: missing,
      unit: 'bytes',
      target: { atMost: 0 },
    },
    ...Object.keys(programs).map((name, at) => ({
      what: `CPU of one flood: ${name}`,
      measured: (cpuMs[at] ?? 0) / rounds / 1000,
      unit: 's',
    })),
    {
      what: 'chat events meanwhile, later than due, p99',
      measured: percentile(late, 0.99),
      unit: 'ms',
      target: { atMost: 50 },
    },
    { what: 'the same without a flood', measured: percentile(lateAtRest, 0.99), unit: 'ms' },
    {
      what: 'a key and its echo, p50',
      measured: median(echo.ours),
      unit: 'ms',
      target: { atMost: 1 },
    },
    { what: 'gotty, the same', measured: median(echo.theirs), unit: 'ms' },
    {
      what: 'attach with 1,000 lines, p50',
      measured: median(drawn),
      unit: 'ms',
      target: { atMost: 50 },
    },
    { what: 'its screen', measured: screenBytes / 1024, unit: 'KB' },
  ],
  {
    floods,
    echo: { ours: summary(echo.ours), theirs: summary(echo.theirs) },
    attach: summary(drawn),
    late: summary(late),
    screens,
  },
);
