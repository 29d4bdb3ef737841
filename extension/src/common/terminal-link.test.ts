import type { Attachment, ConnectionState, Screen } from '@berth/client';
import { expect, test } from 'vitest';
import { virtualTime } from '../../../client/testing/virtual-time.ts';
import { createTerminalLink, type Size } from './terminal-link.ts';

/** An attachment that says what the test says. */
function attachmentOf(size: Size) {
  const told = {
    bytes: [] as ((bytes: Uint8Array, offset: number) => unknown)[],
    screen: [] as ((screen: Screen) => unknown)[],
    resize: [] as ((cols: number, rows: number) => void)[],
    exit: [] as ((code: number) => void)[],
    state: [] as ((state: ConnectionState) => void)[],
  };
  const sent: string[] = [];
  const sizes: Size[] = [size];
  let closed = false;
  const add =
    <T>(list: T[]) =>
    (listener: T) => {
      list.push(listener);
      return () => undefined;
    };
  const attachment: Attachment = {
    state: { kind: 'connected', attempt: 0 },
    offset: 0,
    onBytes: add(told.bytes),
    onResize: add(told.resize),
    onScreen: add(told.screen),
    onExit: add(told.exit),
    onState: add(told.state),
    write: (bytes) => {
      sent.push(new TextDecoder().decode(bytes));
      return true;
    },
    resize: (cols, rows) => sizes.push({ cols, rows }),
    reconnectNow: () => undefined,
    close: () => {
      closed = true;
    },
  };
  return { attachment, told, sent, sizes, isClosed: () => closed };
}

function setUp() {
  const time = virtualTime();
  const made: ReturnType<typeof attachmentOf>[] = [];
  const written: string[] = [];
  const overridden: (Size | null)[] = [];
  const names: string[] = [];
  const exits: number[] = [];
  const opened: Size[] = [];
  const link = createTerminalLink({
    name: 'shell',
    terminalId: async (size) => {
      opened.push(size);
      return 't1';
    },
    attach: (_id, size) => {
      const one = attachmentOf(size);
      made.push(one);
      return one.attachment;
    },
    window: {
      write: (text) => written.push(text),
      overrideSize: (size) => overridden.push(size),
      rename: (name) => names.push(name),
      exited: (code) => exits.push(code),
    },
    explain: String,
    clock: time.clock,
    timers: time.timers,
  });
  const start = async () => {
    link.resize({ cols: 100, rows: 30 });
    await time.pass(60);
    await Promise.resolve();
    return made[0]!;
  };
  return { time, link, made, written, overridden, names, exits, opened, start };
}
const bytes = (text: string) => new TextEncoder().encode(text);

test('it starts once, with the size that the window came to rest at', async () => {
  const { time, link, opened, made } = setUp();
  link.resize({ cols: 80, rows: 24 });
  await time.pass(20);
  link.resize({ cols: 120, rows: 40 });
  link.resize({ cols: 120, rows: 40 });
  await time.pass(60);
  await Promise.resolve();
  expect(opened).toEqual([{ cols: 120, rows: 40 }]);
  expect(made).toHaveLength(1);
});

test('bytes come out in order; a letter that was cut in two is one letter; they count as consumed when they were drawn', async () => {
  const { time, written, start } = setUp();
  const { told } = await start();
  const euro = bytes('€');
  const consumed: number[] = [];
  const give = (part: Uint8Array, n: number) =>
    (told.bytes[0]!(part, 0) as Promise<void>).then(() => consumed.push(n));
  const all = [give(bytes('a'), 1), give(euro.subarray(0, 1), 2), give(euro.subarray(1), 3)];
  expect(consumed).toEqual([]);
  await time.pass(20);
  await Promise.all(all);
  expect(written.join('')).toBe('a€');
  expect(consumed).toEqual([1, 2, 3]);
});

test('a flood is drawn piece by piece, so that the window lives', async () => {
  const { time, written, start } = setUp();
  const { told } = await start();
  const piece = bytes('x'.repeat(100_000));
  for (let i = 0; i < 20; i += 1) told.bytes[0]!(piece, i);
  await time.pass(1);
  await time.pass(16);
  const first = written.join('').length;
  expect(first).toBeLessThan(800_000);
  await time.pass(500);
  expect(written.join('').length).toBe(2_000_000);
  expect(Math.max(...written.map((text) => text.length))).toBeLessThan(400_000);
});

test('a short interruption says nothing; a longer one is one dim line, and the screen is drawn afresh afterwards', async () => {
  const { time, written, names, made, start } = setUp();
  const first = await start();
  const state = (value: ConnectionState) => first.told.state[0]!(value);
  state({ kind: 'awaiting-retry', attempt: 1, delayMs: 250 });
  await time.pass(500);
  state({ kind: 'connected', attempt: 0 });
  await time.pass(2000);
  expect(written).toEqual([]);
  state({ kind: 'awaiting-retry', attempt: 1, delayMs: 250 });
  await time.pass(3000);
  expect(written.join('')).toContain('[berth] connection lost');
  expect(names).toContain('shell (connection lost)');
  state({ kind: 'connected', attempt: 0 });
  expect(written.join('')).toContain('back after');
  expect(names.at(-1)).toBe('shell');
  expect(first.isClosed()).toBe(true);
  expect(made).toHaveLength(2);
  // What the old one still says is of no interest.
  first.told.bytes[0]!(bytes('late'), 0);
  made[1]!.told.screen[0]!({ offset: 9, cols: 100, rows: 30, bytes: bytes('prompt$ ') });
  await time.pass(20);
  expect(written.join('')).not.toContain('late');
  expect(written.join('').endsWith('\u001bc\u001b[3Jprompt$ ')).toBe(true);
});

test('inside the alternate screen no line of ours is drawn', async () => {
  const { time, written, names, made, start } = setUp();
  const { told } = await start();
  told.bytes[0]!(bytes('\u001b[?1049hvim'), 0);
  await time.pass(20);
  told.state[0]!({ kind: 'awaiting-retry', attempt: 1, delayMs: 250 });
  await time.pass(5000);
  expect(written.join('')).not.toContain('[berth]');
  expect(names).toEqual(['shell (connection lost)']);
  told.state[0]!({ kind: 'connected', attempt: 0 });
  expect(made).toHaveLength(1);
});

test('a size that another viewer took is shown as it is; ours goes back to the window’s own', async () => {
  const { link, time, overridden, start } = setUp();
  const { told, sizes } = await start();
  told.resize[0]!(80, 24);
  told.resize[0]!(100, 30);
  expect(overridden).toEqual([{ cols: 80, rows: 24 }, null]);
  link.resize({ cols: 101, rows: 31 });
  await time.pass(60);
  expect(sizes.at(-1)).toEqual({ cols: 101, rows: 31 });
});

test('what ended, ended: its last words first, then the code', async () => {
  const { time, written, exits, start } = setUp();
  const { told } = await start();
  told.bytes[0]!(bytes('bye'), 0);
  told.exit[0]!(3);
  await time.pass(20);
  await Promise.resolve();
  expect(written.join('')).toBe('bye');
  expect(exits).toEqual([3]);
});

test('closing detaches, and lets go of whoever waits for a drawing', async () => {
  const { link, start } = setUp();
  const { told, isClosed } = await start();
  const drawn = told.bytes[0]!(bytes('x'), 0) as Promise<void>;
  link.close();
  await drawn;
  expect(isClosed()).toBe(true);
});
