import type { Terminal } from '@xterm/headless';
import { combinedLength } from './cells.ts';
import { coreOf, lineClass } from './internals.ts';

/** What a hostile program could otherwise grow without end, and what happens there. */
export const bounds = {
  /** Combining marks of one cell, in UTF-16 units: further ones are dropped. */
  cellUnits: 16,
  /** A link with a longer address, or one too many, is plain text. */
  linkUnits: 2048,
  links: 10_000,
} as const;

/** Links are kept as long as a line that had them, and any number fits on one line. */
export function boundLinks(terminal: Terminal): void {
  const core = coreOf(terminal);
  terminal.parser.registerOscHandler(8, (data) => {
    const fits =
      data.length <= bounds.linkUnits && core._oscLinkService._dataByLinkId.size < bounds.links;
    if (fits) return false;
    core._inputHandler.setHyperlink(';');
    return true;
  });
}

let bounded = false;
/** For all terminals of this process: they share the class of their lines. */
export function boundCells(terminal: Terminal): void {
  if (bounded) return;
  bounded = true;
  const lines = lineClass(coreOf(terminal));
  const { addCodepointToCell: add } = lines;
  lines.addCodepointToCell = function (x, codePoint, columns) {
    if (combinedLength(this, x) < bounds.cellUnits) add.call(this, x, codePoint, columns);
  };
}
