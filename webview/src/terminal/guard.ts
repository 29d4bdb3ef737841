import type { IDisposable, Terminal } from '@xterm/xterm';

/**
 * xterm.js 6.0.0 throws on "erase from the start to the cursor" (CSI 1 J) when the cursor stands in the last column of the bottom row
 * and nothing has scrolled away yet: it reads the line behind the last one. After that this terminal never draws again.
 * Here every row up to the cursor's is erased instead, which is the same.
 */
export function guard(terminal: Pick<Terminal, 'parser' | 'buffer' | 'cols'>): IDisposable {
  return terminal.parser.registerCsiHandler({ final: 'J' }, (params) => {
    if (params[0] !== 1) return false;
    const { cursorX, cursorY, length } = terminal.buffer.active;
    if (cursorY + 1 < length || cursorX < terminal.cols - 1) return false;
    eraseAbove(terminal, cursorY);
    return true;
  });
}

interface Internals {
  _core: {
    _inputHandler: {
      _resetBufferLine(y: number): void;
      _dirtyRowTracker?: { markDirty(y: number): void };
    };
  };
}
function eraseAbove(terminal: object, cursorY: number): void {
  // Only the internals can erase rows from inside a handler without queueing behind the bytes that follow.
  const { _inputHandler: handler } = (terminal as unknown as Internals)._core;
  for (let y = 0; y <= cursorY; y += 1) {
    handler._resetBufferLine(y);
    handler._dirtyRowTracker?.markDirty(y);
  }
}
