import type { IDisposable, Terminal } from '@xterm/xterm';

/**
 * xterm.js 6.0.0 throws on "erase from the start to the cursor" (CSI 1 J) when the cursor stands in the last column of the bottom row
 * and nothing has scrolled away yet: it reads the line behind the last one. After that this terminal never draws again. The same
 * erasing is done by two sequences that it survives.
 */
export function guard(terminal: Terminal): IDisposable {
  return terminal.parser.registerCsiHandler({ final: 'J' }, (params) => {
    if (params[0] !== 1) return false;
    const { cursorX, cursorY, baseY, length } = terminal.buffer.active;
    const behindLast = baseY + cursorY + 1 >= length;
    if (!behindLast || cursorX < terminal.cols - 1) return false;
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
function eraseAbove(terminal: Terminal, cursorY: number): void {
  // Only the internals can erase rows from inside a handler without queueing behind the bytes that follow.
  const { _inputHandler: handler } = (terminal as unknown as Internals)._core;
  for (let y = 0; y <= cursorY; y += 1) {
    handler._resetBufferLine(y);
    handler._dirtyRowTracker?.markDirty(y);
  }
}
