import * as xterm from '@xterm/headless';
import type { Screen } from './screen.ts';

// The package is CommonJS without names that Node can see; its types know no default.
const { Terminal } = (xterm as unknown as { default: typeof xterm }).default;

/** A screen in this thread, drawn again from its text alone. */
export function createScreen(options: { cols: number; rows: number; scrollback: number }): Screen {
  const terminal = new Terminal({ ...options, allowProposedApi: true });
  let parsed = 0;
  let parsedCallback: () => void = () => undefined;
  const inOrder = <T>(work: () => T): Promise<T> =>
    new Promise((resolve) => {
      terminal.write('', () => resolve(work()));
    });
  const lines = (scrollback: number): string[] => {
    const { active } = terminal.buffer;
    const from = Math.max(0, active.baseY - scrollback);
    return Array.from(
      { length: active.baseY + terminal.rows - from },
      (_none, at) => active.getLine(from + at)?.translateToString(true) ?? '',
    );
  };
  return {
    feed(bytes) {
      terminal.write(bytes, () => {
        parsed += bytes.length;
        parsedCallback();
      });
    },
    resize(cols, rows) {
      terminal.write('', () => terminal.resize(cols, rows));
    },
    snapshot: ({ scrollback }) =>
      inOrder(() => {
        const { active } = terminal.buffer;
        const cursor = `\u001b[${String(active.cursorY + 1)};${String(active.cursorX + 1)}H`;
        const bytes = Buffer.from(lines(scrollback).join('\r\n') + cursor);
        return { cols: terminal.cols, rows: terminal.rows, bytes };
      }),
    text: () =>
      inOrder(() => ({ cols: terminal.cols, rows: terminal.rows, text: lines(0).join('\n') })),
    get parsed() {
      return parsed;
    },
    onParsed(callback) {
      parsedCallback = callback;
    },
    onReply(callback) {
      terminal.onData((text) => callback(Buffer.from(text)));
    },
    dispose: () => terminal.dispose(),
  };
}
