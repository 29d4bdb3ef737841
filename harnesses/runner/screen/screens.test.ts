import { afterAll, describe, expect, test } from 'vitest';
import { createScreen } from './headless.ts';
import { createScreens } from './screens.ts';

const size = { cols: 20, rows: 4, scrollback: 100 };
const bytes = (text: string): Buffer => Buffer.from(text);

describe('screens in a thread of their own', () => {
  const screens = createScreens();
  afterAll(() => screens[Symbol.asyncDispose]());

  test('what is asked shows what was fed before, not after', async () => {
    const screen = screens.open(size);
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
  test('they draw what a screen of this thread draws, and leave their bytes to the caller', async () => {
    const all = bytes('\u001b[2;3r\u001b[31mhé—\u001b]2;title\u0007\u001b[3;4Hx\r\ny\u001b[3');
    const here = createScreen(size);
    const there = screens.open(size);
    for (let at = 0; at < all.length; at += 5) {
      const piece = all.subarray(at, at + 5);
      here.feed(piece);
      there.feed(piece);
      // Those of the other thread may have come by now or not: the answer is of this moment.
      const [one, other] = await Promise.all(
        [here, there].map((screen) => screen.snapshot({ scrollback: 100 })),
      );
      expect(Buffer.from(other!.bytes).toString()).toBe(Buffer.from(one!.bytes).toString());
    }
    expect(all.length).toBeGreaterThan(0);
    for (const one of [here, there]) one.dispose();
  });
  test('questions are answered, each to its own', async () => {
    const replies: string[] = [];
    const both = ['a', 'b'].map((name) => {
      const screen = screens.open(size);
      screen.onReply((reply) => replies.push(`${name} ${Buffer.from(reply).toString()}`));
      return screen;
    });
    both[1]?.feed(bytes('ab\u001b[6n'));
    await Promise.all(both.map((screen) => screen.text()));
    expect(replies).toEqual(['b \u001b[1;3R']);
    for (const screen of both) screen.dispose();
  });
  test('how far it is, is told while it works', async () => {
    const screen = screens.open(size);
    const told: number[] = [];
    screen.onParsed(() => told.push(screen.parsed));
    const flood = 4 * 1024 * 1024;
    screen.feed(Buffer.alloc(flood, 'all work and no play\r\n'));
    await screen.text();
    expect(screen.parsed).toBe(flood);
    expect(told.length).toBeGreaterThan(1);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    screen.dispose();
  });
  test('nobody waits for a screen that is gone', async () => {
    const screen = screens.open(size);
    const asked = screen.text();
    screen.dispose();
    await expect(asked).rejects.toThrow('gone');
    await expect(screen.snapshot({ scrollback: 1 })).rejects.toThrow('gone');
    screen.feed(bytes('late'));
    screen.resize(2, 2);
    screen.dispose();
    expect(screen.parsed).toBe(0);
  });
});
