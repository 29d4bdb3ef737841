import {
  decodeTerminalFrame,
  encodeTerminalFrame,
  terminalWindowBytes,
  type TerminalFrame,
} from '@berth/contract';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { limits } from '../limits.ts';
import { createScreen } from '../screen/headless.ts';
import { createTerminal, type Viewer } from './terminal.ts';

const size = { cols: 80, rows: 24 };
const piece = 16 * 1024;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Turns of the loop, and no time: that is the test's. */
async function until(look: () => boolean): Promise<void> {
  for (let turn = 0; !look(); turn++) {
    if (turn > 10_000) throw new Error('it did not happen');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A program that writes for as long as it may, and viewers that consume when the test says so. */
function play() {
  let held = false;
  let written = 0;
  const screen = createScreen({ ...size, scrollback: 100 });
  const terminal = createTerminal({
    id: 't',
    kind: 'shell',
    process: {
      id: 1,
      write: () => true,
      endInput: () => true,
      resize: () => true,
      kill: () => true,
      hold: (now) => {
        held = now;
      },
      forget: () => true,
    },
    screen,
    ...size,
    from: 0,
    log: () => undefined,
  });
  return {
    terminal,
    get held() {
      return held;
    },
    get written() {
      return written;
    },
    /** Until it is held, or so much is written; the screen always keeps up. */
    async write(most: number): Promise<number> {
      const before = written;
      while (!held && written - before < most) {
        terminal.output(Buffer.alloc(piece, 'x\r\n'));
        written += piece;
        await screen.text();
      }
      return written - before;
    },
    attach(): Seen {
      const seen: TerminalFrame[] = [];
      const viewer = terminal.attach(
        {
          send: (bytes, taken) => {
            const frame = decodeTerminalFrame(bytes, 'server');
            if (frame !== null) seen.push(frame);
            queueMicrotask(taken);
          },
          buffered: () => 0,
          end: () => undefined,
        },
        size,
      );
      return {
        viewer,
        get screens() {
          return seen.filter(({ type }) => type === 'screen').length;
        },
        get next() {
          const last = seen.findLast((frame) => frame.type === 'data' || frame.type === 'screen');
          if (last?.type === 'data') return last.offset + last.bytes.length;
          return last?.type === 'screen' ? last.offset : 0;
        },
        consume(): void {
          viewer.frame(encodeTerminalFrame({ type: 'ack', offset: this.next }));
        },
      };
    },
  };
}
interface Seen {
  viewer: Viewer;
  readonly screens: number;
  /** The byte after the last that it was sent. */
  readonly next: number;
  consume(): void;
}

test('a program goes at the pace of its viewer: who reads, however slowly, sees every byte', async () => {
  const stage = play();
  const seen = stage.attach();
  await stage.write(piece);
  for (let round = 0; round < 20; round++) {
    await stage.write(10 * limits.ringBytes);
    expect(stage.held).toBe(true);
    await until(() => seen.next === stage.written);
    vi.advanceTimersByTime(limits.viewerWaitMs - 1);
    expect(stage.held).toBe(true);
    seen.consume();
    expect(stage.held).toBe(false);
  }
  expect(stage.written).toBeGreaterThan(5 * limits.ringBytes);
  expect(seen.screens).toBe(1);
  stage.terminal.dispose();
});

test('one that stops reading is waited for once, then it holds up nobody and gets one screen', async () => {
  const stage = play();
  const seen = stage.attach();
  await stage.write(10 * limits.ringBytes);
  expect(stage.held).toBe(true);
  vi.advanceTimersByTime(limits.viewerWaitMs);
  expect(stage.held).toBe(false);
  expect(await stage.write(5 * limits.ringBytes)).toBeGreaterThanOrEqual(5 * limits.ringBytes);
  expect(seen.next).toBeLessThanOrEqual(terminalWindowBytes + piece);
  expect(seen.screens).toBe(1);
  // It reads again: one screen, and from there on it is waited for.
  seen.consume();
  await until(() => seen.screens === 2);
  expect(seen.next).toBe(stage.written);
  await stage.write(piece);
  await until(() => seen.next === stage.written);
  seen.consume();
  await stage.write(10 * limits.ringBytes);
  expect(stage.held).toBe(true);
  stage.terminal.dispose();
});

test('the fastest viewer counts, and when it leaves, the next', async () => {
  const stage = play();
  const fast = stage.attach();
  const stuck = stage.attach();
  await stage.write(piece);
  for (let round = 0; round < 10; round++) {
    await stage.write(limits.viewerLagLow);
    await until(() => fast.next === stage.written);
    fast.consume();
    expect(stage.held).toBe(false);
  }
  expect(stuck.next).toBeLessThanOrEqual(terminalWindowBytes + piece);
  fast.viewer.detach();
  await stage.write(10 * limits.ringBytes);
  expect(stage.held).toBe(true);
  stuck.viewer.detach();
  expect(stage.held).toBe(false);
  await stage.write(2 * limits.ringBytes);
  expect(stage.held).toBe(false);
  stage.terminal.dispose();
});
