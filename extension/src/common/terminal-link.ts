import type { Attachment } from '@berth/client';
import type { Timers } from './clock.ts';
import { berthLine, createScreenWatch, emptyTerminal, notAttachedLine } from './terminal-text.ts';
import { duration } from '@berth/client/words';
import type { Clock } from './clock.ts';

export interface Size {
  readonly cols: number;
  readonly rows: number;
}
/** A terminal of the editor, as this needs it. */
export interface TerminalWindow {
  write(text: string): void;
  /** Null: the window's own size again. */
  overrideSize(size: Size | null): void;
  rename(name: string): void;
  exited(code: number): void;
}
export interface TerminalLinkOptions {
  name: string;
  /** The server's terminal: known, or opened with the size that the window turned out to have. */
  terminalId: (size: Size) => Promise<string>;
  attach: (terminalId: string, size: Size) => Attachment;
  window: TerminalWindow;
  explain: (error: unknown) => string;
  clock: Clock;
  timers: Timers;
}
export interface TerminalLink {
  /** The window has this size; the first one starts it. */
  resize(size: Size): void;
  input(text: string): void;
  reconnectNow(): void;
  /** Detaches; what runs in it goes on. */
  close(): void;
}

/** Editors tell a new terminal's size in several steps. */
const settleMs = 50;
/** A shorter interruption is not worth a line. */
const quietMs = 1500;
const paintMs = 16;
/** What one paint may carry: more, and typing in the window waits behind the output. */
const paintCharsMax = 256 * 1024;

/** One window on one terminal: its size, its output in order and at a pace the editor can draw, and what is said when the line is cut. */
export function createTerminalLink(options: TerminalLinkOptions): TerminalLink {
  const { window, timers, clock } = options;
  const watch = createScreenWatch();
  const encoder = new TextEncoder();
  let decoder = new TextDecoder();
  let size: Size | null = null;
  let attachment: Attachment | null = null;
  let started = false;
  let over = false;
  let callOffStart: () => void = () => undefined;
  let callOffNotice: () => void = () => undefined;
  let lostAt: number | null = null;
  /** A line of ours stands in the window: its picture is no longer the terminal's. */
  let spoiled = false;

  // What is to be written, and who waits until it was.
  let output: { text: string; written: () => void }[] = [];
  let painting: (() => void) | null = null;

  function paint(): void {
    painting = null;
    let text = '';
    const finished: (() => void)[] = [];
    while (output.length > 0 && text.length < paintCharsMax) {
      const piece = output.shift();
      if (!piece) break;
      text += piece.text;
      finished.push(piece.written);
    }
    if (text !== '') window.write(text);
    for (const written of finished) written();
    if (output.length > 0) painting = timers.after(paintMs, paint);
  }
  function put(text: string): Promise<void> {
    watch.feed(text);
    return new Promise((written) => {
      output.push({ text, written });
      // Nothing was painted lately: at once, so that a key's echo does not wait.
      painting ??= timers.after(output.length === 1 && text.length < 4096 ? 0 : paintMs, paint);
    });
  }
  const say = (text: string): void => {
    window.write(text);
  };

  function begin(): void {
    if (size === null || over) return;
    started = true;
    const first = size;
    options.terminalId(first).then(
      (terminalId) => {
        if (!over) join(terminalId);
      },
      (error: unknown) => {
        if (over) return;
        window.rename(`${options.name} (not attached)`);
        say(`${notAttachedLine(options.explain(error), size?.cols ?? 80)}\r\n`);
      },
    );
  }

  function join(terminalId: string): void {
    if (size === null) return;
    const mine = options.attach(terminalId, size);
    attachment = mine;
    const current = () => attachment === mine && !over;
    mine.onResize((cols, rows) => {
      if (current()) takeSize({ cols, rows });
    });
    mine.onScreen((screen) => {
      if (!current()) return undefined;
      takeSize(screen);
      decoder = new TextDecoder();
      watch.reset();
      spoiled = false;
      return put(emptyTerminal + decoder.decode(screen.bytes, { stream: true }));
    });
    mine.onBytes((bytes) => {
      if (!current()) return undefined;
      return put(decoder.decode(bytes, { stream: true }));
    });
    mine.onExit((code) => {
      if (!current()) return;
      over = true;
      callOffNotice();
      put('').then(
        () => window.exited(code),
        () => undefined,
      );
    });
    mine.onState((state) => {
      if (!current()) return;
      switch (state.kind) {
        case 'connected':
          back(terminalId);
          break;
        case 'awaiting-retry':
          lost();
          break;
        case 'disconnected':
          if (state.reason === 'ended') break;
          callOffNotice();
          window.rename(`${options.name} (not attached)`);
          say(
            `\r\n${notAttachedLine(
              state.reason === 'not-found' ? 'this terminal is gone' : 'you are signed out',
              size?.cols ?? 80,
            )}\r\n`,
          );
          break;
        case 'idle':
        case 'connecting':
        case 'disposed':
          break;
      }
    });
  }

  function takeSize(theirs: Size): void {
    const same = size !== null && size.cols === theirs.cols && size.rows === theirs.rows;
    window.overrideSize(same ? null : { cols: theirs.cols, rows: theirs.rows });
  }

  function lost(): void {
    if (lostAt !== null) return;
    lostAt = clock.now();
    callOffNotice = timers.after(quietMs, () => {
      window.rename(`${options.name} (connection lost)`);
      if (watch.alternate) return; // a line of ours would stand in somebody's picture
      spoiled = true;
      say(`\r\n${berthLine('connection lost; the agent goes on', size?.cols ?? 80)}`);
    });
  }

  function back(terminalId: string): void {
    callOffNotice();
    callOffNotice = () => undefined;
    if (lostAt === null) return;
    const away = clock.now() - lostAt;
    lostAt = null;
    window.rename(options.name);
    if (!spoiled) return;
    say(`\r\u001b[2K${berthLine(`back after ${duration(away)}`, size?.cols ?? 80)}`);
    // Our line is in the picture: the terminal's own screen again, from the runner.
    const old = attachment;
    attachment = null;
    old?.close();
    join(terminalId);
  }

  return {
    resize(next) {
      if (next.cols < 2 || next.rows < 2) return;
      if (size?.cols === next.cols && size.rows === next.rows) return;
      size = { cols: Math.min(next.cols, 1000), rows: Math.min(next.rows, 1000) };
      callOffStart();
      callOffStart = timers.after(settleMs, () => {
        if (!started) begin();
        else if (size !== null) attachment?.resize(size.cols, size.rows);
      });
    },
    input(text) {
      // Keys that cannot go out now are dropped: typed blindly, they do harm later.
      attachment?.write(encoder.encode(text));
    },
    reconnectNow: () => attachment?.reconnectNow(),
    close() {
      over = true;
      callOffStart();
      callOffNotice();
      painting?.();
      painting = null;
      for (const { written } of output) written();
      output = [];
      attachment?.close();
      attachment = null;
    },
  };
}
