import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attachTerminal, type Attachment } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import {
  createSide,
  differences,
  stateOf,
  type Side,
} from '../harnesses/runner/screen/testing/state.ts';
import { runnerPid, startBerth, until, type Berth } from './support/berth.ts';
import { autoAgent, idle, say, text } from './support/talk.ts';

let berth: Berth;
let sessionId: string;
beforeAll(async () => {
  berth = await startBerth();
  sessionId = (await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id })).id;
  await idle(berth, sessionId);
});
afterAll(async () => {
  await berth[Symbol.asyncDispose]();
});

const size = { cols: 80, rows: 24 };
const open = async (): Promise<string> =>
  (await berth.client.terminals.open(sessionId, { kind: 'shell', ...size })).id;

/** A viewer with a real terminal: the same engine as the webview's. */
interface Viewer {
  attachment: Attachment;
  side: Side;
  screens: number;
  bytes: number;
  type(keys: string): Promise<void>;
  shows(words: string): Promise<void>;
}
function attach(terminalId: string, wanted = size): Viewer {
  const attachment = attachTerminal({
    client: berth.client,
    connect: connectNode,
    terminalId,
    size: wanted,
  });
  const viewer: Viewer = {
    attachment,
    side: createSide({ ...size, scrollback: 1000 }),
    screens: 0,
    bytes: 0,
    type: (keys) => until(() => attachment.write(Buffer.from(keys)), 10_000, 'a connection'),
    shows: (words) => until(() => screenText(viewer).includes(words), 30_000, words),
  };
  attachment.onScreen(({ cols, rows, bytes }) => {
    viewer.screens += 1;
    viewer.side = createSide({ cols, rows, scrollback: 1000 });
    viewer.side.put(bytes);
  });
  attachment.onResize((cols, rows) => viewer.side.terminal.resize(cols, rows));
  attachment.onBytes((bytes) => {
    viewer.bytes += bytes.length;
    viewer.side.put(bytes);
  });
  return viewer;
}
function screenText({ side }: Viewer): string {
  const { active } = side.terminal.buffer;
  return Array.from(
    { length: side.terminal.rows },
    (_none, y) => active.getLine(active.baseY + y)?.translateToString(true) ?? '',
  ).join('\n');
}
/** Both have drawn the same bytes; what their screens differ in. */
async function apart(one: Viewer, other: Viewer): Promise<string[]> {
  await until(
    () => one.attachment.offset === other.attachment.offset,
    10_000,
    'both at the same byte',
  );
  return differences(stateOf(one.side), stateOf(other.side));
}

/** A program that leaves much behind: a region, a saved cursor, tab stops, another charset, a link, a title, a pen, an unfinished sequence. */
const program = [
  "stty -echo; printf '",
  String.raw`\033[?1049h\033[2;20r\033[3g\033[1;10H\033H\033(0lqqk\033(B`,
  String.raw`\033[4;4H\033[1;38;5;99m\0337\033]2;a title\007\033]8;;http://example.org\007link\033]8;;\007`,
  String.raw`\033[?2004h\033[?1002h\033[?1006h\033[5;5Hwide 漢字 e\314\201 marker-$((6*7))`,
  String.raw`\033[7m\033[38;2;1`,
  "'; cat\n",
]
  .join('')
  .replace('$((6*7))', "'$((6*7))'");

test('who comes back, or comes second, has the same screen in all its state', async () => {
  const id = await open();
  const first = attach(id);
  await first.type('seq 2000\n');
  await first.shows('2000');
  await first.type(program);
  await first.shows('marker-42');
  const second = attach(id);
  await second.shows('marker-42');
  expect(second.screens).toBe(1);
  expect(await apart(first, second)).toEqual([]);

  // The sequence goes on, and a resize lies between: both see it at the same byte.
  await second.type(';2;3mcolor\n');
  second.attachment.resize(100, 30);
  await second.shows('color');
  await until(() => first.side.terminal.cols === 100, 10_000, 'the other size');
  await first.shows('color');
  expect(await apart(first, second)).toEqual([]);

  first.attachment.close();
  second.attachment.close();
  const third = attach(id, { cols: 100, rows: 30 });
  await third.shows('color');
  expect(await apart(second, third)).toEqual([]);
  expect((await berth.client.terminals.screen(id)).text).toContain('marker-42');
  third.attachment.close();
});

test('erasing that stops a plain xterm stops nothing here', async () => {
  const id = await open();
  const viewer = attach(id);
  await viewer.type("clear; printf '\\033[3J\\033[999;999H\\033[1J'; echo; echo alive-$((6*7))\n");
  await viewer.shows('alive-42');
  expect((await berth.client.terminals.screen(id)).text).toContain('alive-42');
  viewer.attachment.close();
});

const rssMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024;

test('50 MB to one viewer, none lost, while the chat goes on', async () => {
  const id = await open();
  const viewer = attach(id);
  await viewer.type(
    `stty -echo; yes 'the quick brown fox jumps' | head -c ${String(50 * 1024 * 1024)}; echo end-$((6*7))\n`,
  );
  await until(() => viewer.bytes > 1024 * 1024, 10_000, 'the flood');
  const turn = await say(berth, sessionId, '/stream 20 10\n/say still here');
  expect(turn.reply).toContain('still here');
  await viewer.shows('end-42');
  // Each line feed becomes two bytes; that viewer kept up, so it got them all.
  expect(viewer.screens).toBe(1);
  expect(viewer.bytes).toBeGreaterThan(50 * 1024 * 1024);
  const later = attach(id);
  await later.shows('end-42');
  expect(await apart(viewer, later)).toEqual([]);
  for (const one of [viewer, later]) one.attachment.close();
});

test('a viewer that stops reading holds up nobody, and then gets the screen', async () => {
  const id = await open();
  const pid = (await runnerPid(berth.dataDir)) ?? 0;
  const before = rssMb(pid);
  const stuck = attach(id);
  let release = (): void => undefined;
  const held = new Promise<void>((done) => (release = done));
  // Not acknowledged until then.
  stuck.attachment.onBytes(() => held);
  const reading = attach(id);
  await reading.type(
    `stty -echo; yes 'the quick brown fox jumps' | head -c ${String(20 * 1024 * 1024)}; echo end-$((6*7))\n`,
  );
  await reading.shows('end-42');
  expect(stuck.bytes).toBeLessThan(4 * 1024 * 1024);
  expect(rssMb(pid) - before).toBeLessThan(150);
  release();
  await stuck.shows('end-42');
  expect(await apart(reading, stuck)).toEqual([]);
  for (const one of [stuck, reading]) one.attachment.close();
});

test('sequences without end leave the runner small, and the terminal usable', async () => {
  const id = await open();
  const viewer = attach(id);
  const pid = (await runnerPid(berth.dataDir)) ?? 0;
  const before = rssMb(pid);
  const bombs = [
    "printf '\\033]2;'; head -c 30000000 /dev/zero | tr '\\0' x; printf '\\007'",
    "printf '\\033['; yes '1;' | head -c 5000000 | tr -d '\\n'; printf 'm'",
    "printf a; yes $'\\u0301' | head -c 5000000 | tr -d '\\n'",
    "for i in $(seq 20000); do printf '\\033]8;;http://%01000d\\007' $i; done",
  ];
  await viewer.type(`stty -echo; ${bombs.join('; ')}; printf '\\033c'; echo end-$((6*7))\n`);
  await viewer.shows('end-42');
  expect(rssMb(pid) - before).toBeLessThan(150);
  const { text: shown } = await berth.client.terminals.screen(id);
  expect(shown).toContain('end-42');
  viewer.attachment.close();
  await berth.client.turns.create(sessionId, { id: randomUUID(), prompt: text('/say done') });
  await idle(berth, sessionId);
});
