import type { IDisposable, Terminal } from '@xterm/xterm';

/**
 * xterm.js 6.0.0 throws on "erase from the start to the cursor" (CSI 1 J) with the cursor in the last column when there is no line
 * number y + 1: on the bottom row before anything has scrolled away. After that this terminal never draws again. The same erasing is done by
 * two calls that it survives; the server's screen does the same, so that both stay equal.
 */
export function guard(terminal: Pick<Terminal, 'parser'>): IDisposable {
  const core = (terminal as unknown as Internals)._core;
  const handlers = ['', '?'].map((prefix) =>
    terminal.parser.registerCsiHandler({ prefix, final: 'J' }, (params) => {
      const { cols, buffers } = core._bufferService;
      const buffer = buffers.active;
      const { x } = buffer;
      if (params[0] !== 1 || x + 1 < cols || buffer.lines.get(buffer.y + 1)) return false;
      const selective = prefix === '?';
      core._inputHandler.eraseInLine({ params: [1] }, selective);
      buffer.x = cols - 2;
      core._inputHandler.eraseInDisplay({ params: [1] }, selective);
      buffer.x = x;
      return true;
    }),
  );
  return {
    dispose() {
      for (const handler of handlers) handler.dispose();
    },
  };
}

/** Erasing from inside a handler, before the bytes that follow, is not in the public interface. */
interface Internals {
  _core: {
    _bufferService: {
      cols: number;
      buffers: { active: { x: number; y: number; lines: { get(index: number): unknown } } };
    };
    _inputHandler: {
      eraseInLine(params: { params: number[] }, selective: boolean): void;
      eraseInDisplay(params: { params: number[] }, selective: boolean): void;
    };
  };
}
