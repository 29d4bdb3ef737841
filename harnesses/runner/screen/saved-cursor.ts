import { hasExtended, normal, underlined } from './cells.ts';
import type { Drawing } from './drawing.ts';
import type { ScreenBuffer } from './internals.ts';

export const hasSaved = (buffer: ScreenBuffer): boolean =>
  buffer.savedX !== 0 ||
  buffer.savedY !== 0 ||
  buffer.savedCurAttrData.fg !== 0 ||
  buffer.savedCurAttrData.bg !== 0 ||
  buffer.savedCharset !== undefined;

/**
 * Saves the buffer's cursor (DECSC) at row `y` of the screen. A terminal keeps position, colours, flags and the character set in use, but not
 * the pen's extended part. `blankRow`: the row is still empty, so that a cursor behind the last column can be saved too.
 */
export function saveCursor(
  drawing: Drawing,
  buffer: ScreenBuffer,
  y: number,
  blankRow: boolean,
): void {
  const { draft, pen, cols, finalOf } = drawing;
  const behind = blankRow && buffer.savedX >= cols;
  pen.plain();
  draft.moveTo(Math.min(buffer.savedX, cols - 1), y);
  if (behind) draft.write(' ');
  const fg = normal(buffer.savedCurAttrData.fg);
  const bg = normal(buffer.savedCurAttrData.bg);
  const extended = fg & underlined && bg & hasExtended ? 1 << 26 : 0;
  pen.to({ fg, bg, extended, link: 0 });
  const final = finalOf(buffer.savedCharset);
  draft.write(final === 'B' ? '\u001b7' : `\u001b(${final}\u001b7\u001b(B`);
  pen.cursorSaved();
  pen.plain();
  if (behind) draft.write('\u001b[1K');
}
