import type { Terminal } from '@xterm/headless';
import { coreOf } from './internals.ts';

/**
 * xterm.js 6.0.0 throws on "erase from the start to the cursor" (CSI 1 J) with the cursor in the last column when there is no line
 * number y + 1: on the bottom row before anything has scrolled away. The same erasing is done by two calls that it survives.
 */
export function guard(terminal: Terminal): void {
  const core = coreOf(terminal);
  const handler = core._inputHandler;
  for (const prefix of ['', '?'])
    terminal.parser.registerCsiHandler({ prefix, final: 'J' }, (params) => {
      const { cols, buffers } = core._bufferService;
      const buffer = buffers.active;
      const { x } = buffer;
      if (params[0] !== 1 || x + 1 < cols || buffer.lines.get(buffer.y + 1)) return false;
      const selective = prefix === '?';
      handler.eraseInLine({ params: [1] }, selective);
      buffer.x = cols - 2;
      handler.eraseInDisplay({ params: [1] }, selective);
      buffer.x = x;
      return true;
    });
}
