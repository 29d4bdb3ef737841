import * as xterm from '@xterm/headless';
import { boundCells, boundLinks } from './bounds.ts';
import { charsetFinals } from './charsets.ts';
import { guard } from './guard.ts';
import { coreOf, missing, type Charset } from './internals.ts';
import { createReader } from './reader.ts';
import type { Screen, ScreenSnapshot } from './screen.ts';
import { createScreenWriter } from './screen-writer.ts';
import { createTurns, type Turns } from './turns.ts';

// The package is CommonJS without names that Node can see; its types know no default.
const { Terminal } = (xterm as unknown as { default: typeof xterm }).default;

const limits = {
  /** One piece of parsing, and how long screens may parse before everything else has its turn. */
  sliceBytes: 16 * 1024,
  turnMs: 4,
} as const;

export interface ScreenOptions {
  cols: number;
  rows: number;
  scrollback: number;
  turns?: Turns;
  /** A sequence that the terminal could not digest. */
  onFault?: (error: unknown) => void;
}
const sharedTurns = createTurns({
  budgetMs: limits.turnMs,
  now: () => performance.now(),
  later: (turn) => setImmediate(turn),
});

/** With titles that can be pushed and popped; a viewer's terminal needs the same options. */
export const terminalOptions = {
  allowProposedApi: true,
  logLevel: 'off',
  windowOptions: { pushTitle: true, popTitle: true, getWinSizeChars: true },
} as const;

let finalOf: ((charset: Charset) => string) | undefined;
/** Once a process: the terminal is the version that we know, and its lines are bounded. */
function prepare(): (charset: Charset) => string {
  if (finalOf) return finalOf;
  const scratch = (): InstanceType<typeof Terminal> =>
    new Terminal({ ...terminalOptions, cols: 2, rows: 1 });
  const terminal = scratch();
  const unknown = missing(coreOf(terminal));
  if (unknown.length > 0)
    throw new Error(`this @xterm/headless is not the one that we read: ${unknown.join('; ')}`);
  boundCells(terminal);
  terminal.dispose();
  finalOf = charsetFinals(scratch);
  return finalOf;
}

type Step =
  | { kind: 'bytes'; bytes: Uint8Array; from: number }
  /** `drop`: the screen is gone before it came to it. */
  | { kind: 'act'; act: () => void; drop: () => void };

/** A screen in this thread. What it is told waits in one queue, so that everything takes effect in its order. */
export function createScreen(options: ScreenOptions): Screen {
  const { cols, rows, scrollback, turns = sharedTurns, onFault } = options;
  const finals = prepare();
  const terminal = new Terminal({ ...terminalOptions, cols, rows, scrollback });
  guard(terminal);
  boundLinks(terminal);
  const writer = createScreenWriter(terminal, finals);
  const reader = createReader(terminal);
  let steps: Step[] = [];
  let done = 0;
  let parsed = 0;
  let disposed = false;
  let parsedCallback: () => void = () => undefined;

  function parse(bytes: Uint8Array): void {
    const fault = reader.read(bytes);
    if (fault !== undefined) onFault?.(fault);
    parsed += bytes.length;
  }
  function work(): boolean {
    const step = steps[done];
    if (disposed || !step) return false;
    if (step.kind === 'act') {
      done++;
      step.act();
    } else {
      const to = step.from + limits.sliceBytes;
      parse(step.bytes.subarray(step.from, to));
      if (to >= step.bytes.length) done++;
      else step.from = to;
      parsedCallback();
    }
    // What is done is forgotten before it is much.
    if (done === steps.length || done > 256) {
      steps = steps.slice(done);
      done = 0;
    }
    return steps.length > done;
  }
  function push(step: Step): void {
    if (disposed) return;
    steps.push(step);
    turns.add(work);
  }
  const inOrder = <T>(ask: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const drop = (): void => reject(new Error('this screen is gone'));
      const act = (): void => {
        try {
          resolve(ask());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      if (disposed) drop();
      else push({ kind: 'act', act, drop });
    });

  function snapshot(lines: number): ScreenSnapshot {
    const drawn = Buffer.from(writer.write({ scrollback: lines }).text);
    const rest = reader.unfinished();
    return { cols: terminal.cols, rows: terminal.rows, bytes: Buffer.concat([drawn, rest]) };
  }
  function text(): string {
    const { active } = terminal.buffer;
    return Array.from(
      { length: terminal.rows },
      (_none, y) => active.getLine(active.baseY + y)?.translateToString(true) ?? '',
    ).join('\n');
  }
  return {
    feed(bytes) {
      if (bytes.length > 0) push({ kind: 'bytes', bytes, from: 0 });
    },
    resize(toCols, toRows) {
      push({
        kind: 'act',
        act: () => terminal.resize(toCols, toRows),
        drop: () => undefined,
      });
    },
    snapshot: (wanted) => inOrder(() => snapshot(wanted.scrollback)),
    text: () => inOrder(() => ({ cols: terminal.cols, rows: terminal.rows, text: text() })),
    get parsed() {
      return parsed;
    },
    onParsed(callback) {
      parsedCallback = callback;
    },
    onReply(callback) {
      terminal.onData((data) => callback(Buffer.from(data)));
    },
    dispose() {
      disposed = true;
      for (const step of steps.splice(0).slice(done)) if (step.kind === 'act') step.drop();
      terminal.dispose();
    },
  };
}
