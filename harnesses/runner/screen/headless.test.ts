import { describe, expect, test } from 'vitest';
import { createScreen } from './headless.ts';
import { createTurns } from './turns.ts';

/** Turns that are taken by the test. */
function played() {
  const due: (() => void)[] = [];
  let now = 0;
  const turns = createTurns({ budgetMs: 4, now: () => now, later: (turn) => due.push(turn) });
  return {
    turns,
    pass: (ms: number) => {
      now += ms;
    },
    turn: (): boolean => {
      const next = due.shift();
      next?.();
      return next !== undefined;
    },
    due,
  };
}
const size = { cols: 20, rows: 4, scrollback: 100 };
const bytes = (text: string) => Buffer.from(text);

describe('one screen', () => {
  test('what is asked shows what was fed before, not after', async () => {
    const screen = createScreen(size);
    screen.feed(bytes('one\r\n'));
    const first = screen.text();
    screen.feed(bytes('two'));
    screen.resize(10, 3);
    const second = screen.text();
    expect(await first).toEqual({ cols: 20, rows: 4, text: 'one\n\n\n' });
    expect(await second).toEqual({ cols: 10, rows: 3, text: 'one\ntwo\n' });
    expect(screen.parsed).toBe(8);
    screen.dispose();
  });
  test('a snapshot and the bytes from there are the same screen, cut within a character and a sequence', async () => {
    const all = bytes('\u001b[2;3r\u001b[31mhé—\u001b]2;title\u0007\u001b[3;4Hx\r\ny');
    const whole = createScreen(size);
    whole.feed(all);
    const drawn = Buffer.from((await whole.snapshot({ scrollback: 100 })).bytes).toString();
    for (let at = 0; at <= all.length; at++) {
      const server = createScreen(size);
      server.feed(all.subarray(0, at));
      const { cols, rows, bytes: snapshot } = await server.snapshot({ scrollback: 100 });
      const viewer = createScreen({ ...size, cols, rows });
      viewer.feed(snapshot);
      viewer.feed(all.subarray(at));
      const again = await viewer.snapshot({ scrollback: 100 });
      expect(Buffer.from(again.bytes).toString(), String(at)).toBe(drawn);
      for (const one of [server, viewer]) one.dispose();
    }
    whole.dispose();
  });
  test('scrollback in a snapshot is as long as wanted', async () => {
    const screen = createScreen(size);
    screen.feed(bytes(Array.from({ length: 50 }, (_none, at) => `line ${at}\r\n`).join('')));
    const { bytes: drawn } = await screen.snapshot({ scrollback: 10 });
    const text = Buffer.from(drawn).toString();
    expect(text).toContain('line 37');
    expect(text).not.toContain('line 36');
    screen.dispose();
  });
  test('questions are answered', async () => {
    const screen = createScreen(size);
    const replies: string[] = [];
    screen.onReply((reply) => replies.push(Buffer.from(reply).toString()));
    screen.feed(bytes('ab\u001b[6n'));
    await screen.text();
    expect(replies).toEqual(['\u001b[1;3R']);
    screen.dispose();
  });
  test('nobody waits for a screen that is gone', async () => {
    const screen = createScreen(size);
    const asked = screen.text();
    screen.dispose();
    await expect(asked).rejects.toThrow('gone');
    await expect(screen.snapshot({ scrollback: 1 })).rejects.toThrow('gone');
    screen.feed(bytes('late'));
    expect(screen.parsed).toBe(0);
  });
});

describe('turns', () => {
  test('a flood is read in pieces, and others are between them', () => {
    const { turns, turn, due, pass } = played();
    const flooded = createScreen({ ...size, turns });
    const quiet = createScreen({ ...size, turns });
    flooded.onParsed(() => pass(1));
    flooded.feed(Buffer.alloc(1024 * 1024, 'a'));
    quiet.feed(bytes('key'));
    expect(flooded.parsed).toBe(0);
    turn();
    expect(quiet.parsed).toBe(3);
    expect(flooded.parsed).toBe(4 * 16 * 1024); // 4 ms of it, then a way out
    expect(due).toHaveLength(1);
    let taken = 1;
    while (turn()) taken++;
    expect(flooded.parsed).toBe(1024 * 1024);
    expect(taken).toBe(16);
    for (const one of [flooded, quiet]) one.dispose();
  });
  test('two floods share', () => {
    const { turns, turn, pass } = played();
    const screens = [1, 2].map(() => createScreen({ ...size, turns }));
    for (const screen of screens) {
      screen.onParsed(() => pass(1));
      screen.feed(Buffer.alloc(256 * 1024, 'a'));
    }
    turn();
    expect(screens.map(({ parsed }) => parsed)).toEqual([2 * 16 * 1024, 2 * 16 * 1024]);
    for (const screen of screens) screen.dispose();
    turn(); // what is left of them does nothing
    expect(screens.map(({ parsed }) => parsed)).toEqual([2 * 16 * 1024, 2 * 16 * 1024]);
  });
});

test('50 MB of lines leave no more behind than the scrollback', { timeout: 60_000 }, async () => {
  const screen = createScreen({ cols: 80, rows: 24, scrollback: 1000 });
  const piece = Buffer.from('the quick brown fox jumps\r\n'.repeat(2400));
  const heap = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const before = heap();
  let most = 0;
  for (let sent = 0; sent < 50 * 1024 * 1024; sent += piece.length) {
    screen.feed(piece);
    // The terminal above waits the same way: at most so much is not parsed.
    if (sent % (4 * piece.length) === 0) await screen.text();
    most = Math.max(most, heap());
  }
  await screen.text();
  expect(most - before).toBeLessThan(150 * 1024 * 1024);
  screen.dispose();
});
