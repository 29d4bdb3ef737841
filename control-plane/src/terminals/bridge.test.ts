import { encodeTerminalFrame } from '@berth/contract';
import { expect, test } from 'vitest';
import type { RunnerStream } from '../runners/index.ts';
import { acceptable, bridge } from './bridge.ts';

const keys = encodeTerminalFrame({ type: 'keys', bytes: Buffer.from('ls\r') });

test.each([
  ['keys', keys, true],
  ['an ack', encodeTerminalFrame({ type: 'ack', offset: 12 }), true],
  ['a size', encodeTerminalFrame({ type: 'resize', cols: 80, rows: 24 }), true],
  ['a size of nothing', encodeTerminalFrame({ type: 'resize', cols: 0, rows: 24 }), false],
  ['a giant', encodeTerminalFrame({ type: 'resize', cols: 5000, rows: 24 }), false],
  ['an exit', encodeTerminalFrame({ type: 'exit', exitCode: 0 }), false],
  [
    'a screen',
    encodeTerminalFrame({ type: 'screen', offset: 0, cols: 2, rows: 2, bytes: keys }),
    false,
  ],
  ['half an ack', Buffer.from([2, 0, 0]), false],
  ['an ack beyond all numbers', Buffer.from([2, 255, 255, 255, 255, 255, 255, 255, 255]), false],
  ['nothing', Buffer.alloc(0), false],
  ['a kind of its own', Buffer.from([9, 1]), false],
])('%s from a viewer: passed on = %s', (_name, frame, passed) => {
  expect(acceptable(frame)).toBe(passed);
});

function stage() {
  const toRunner: Uint8Array[] = [];
  const toViewer: Uint8Array[] = [];
  const closes: number[] = [];
  const over = new AbortController();
  let disposed = 0;
  let slow: (() => void) | null = null;
  let isSlow = false;
  const fromRunner = pipe();
  const fromViewer = pipe();
  const stream: RunnerStream = {
    send: async (bytes) => {
      toRunner.push(bytes);
    },
    end: () => undefined,
    async *frames() {
      for await (const bytes of fromRunner.read()) yield { kind: 'bytes' as const, bytes };
    },
    async [Symbol.asyncDispose]() {
      disposed += 1;
      fromRunner.fail(new Error('disposed'));
    },
  };
  const viewer = {
    send: (bytes: Uint8Array) => {
      toViewer.push(bytes);
      return !isSlow;
    },
    drained: () => new Promise<void>((resolve) => (slow = resolve)),
    close: (code: number) => closes.push(code),
    frames: () => fromViewer.read(),
  };
  return {
    toRunner,
    toViewer,
    closes,
    fromRunner,
    fromViewer,
    over,
    run: () => bridge(stream, viewer, over),
    get disposed() {
      return disposed;
    },
    beSlow: () => (isSlow = true),
    drain: () => {
      isSlow = false;
      slow?.();
    },
  };
}
function pipe() {
  const items: Uint8Array[] = [];
  let state: 'open' | 'ended' | Error = 'open';
  let wake: () => void = () => undefined;
  return {
    push(bytes: Uint8Array) {
      items.push(bytes);
      wake();
    },
    end() {
      state = 'ended';
      wake();
    },
    fail(error: Error) {
      if (state === 'open') state = error;
      wake();
    },
    async *read() {
      for (;;) {
        const next = items.shift();
        if (next !== undefined) yield next;
        else if (state === 'ended') return;
        else if (state !== 'open') throw state;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

test('both ways, and the runner waits for a slow viewer', async () => {
  const on = stage();
  const done = on.run();
  on.fromViewer.push(keys);
  on.fromRunner.push(Buffer.from([1]));
  await turn();
  expect(on.toRunner).toEqual([keys]);
  on.beSlow();
  on.fromRunner.push(Buffer.from([2]));
  on.fromRunner.push(Buffer.from([3]));
  await turn();
  expect(on.toViewer).toHaveLength(2);
  on.drain();
  await turn();
  expect(on.toViewer).toHaveLength(3);
  on.fromRunner.end();
  await done;
  expect(on.disposed).toBe(1);
});

test('the viewer leaves: the stream goes, quietly', async () => {
  const on = stage();
  const done = on.run();
  on.fromViewer.end();
  await done;
  expect(on.disposed).toBe(1);
  expect(on.over.signal.aborted).toBe(true);
});

test('a viewer that speaks something else is closed, and nothing of it is passed on', async () => {
  const on = stage();
  const done = on.run();
  on.fromViewer.push(Buffer.from([3, 0, 0, 0, 0]));
  await done;
  expect(on.closes).toEqual([4409]);
  expect(on.toRunner).toEqual([]);
});

test('a runner that breaks off is an error for whoever asked', async () => {
  const on = stage();
  const done = on.run();
  on.fromRunner.fail(new Error('broke off'));
  await expect(done).rejects.toThrow('broke off');
  expect(on.disposed).toBe(1);
});
