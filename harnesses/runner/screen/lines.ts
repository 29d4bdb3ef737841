import { background, foreground, hasExtended, hasText, kind, text, width } from './cells.ts';
import type { Drawing } from './drawing.ts';
import type { Line } from './internals.ts';

/** A blank two columns wide: printing into its second half turns the first into a blank that keeps the pen. */
export const wideBlank = '\u3000';
/** A sequence without effect, so that what follows does not join with what was printed before. */
export const apart = '\u001b[?0h';

/**
 * Draws a row, the cursor standing at its start on a row that is blank but for column `junk` (-1: none). True when the row is full and the
 * cursor hangs behind its last column.
 */
export function drawLine(drawing: Drawing, line: Line, junk: number): boolean {
  const { cols } = drawing;
  if (line._data.length < cols * 3) return false;
  let dirty = junk;
  if (kind(line, cols - 1) === 'inked' && width(line, cols - 1) > 0 && cols > 2) {
    drawInkedMargin(drawing, line);
    dirty = -1;
  }
  return drawCells(drawing, line, 0, dirty);
}

/** A blank with a pen in the last column: a wide blank is pushed over the edge in insert mode. */
function drawInkedMargin({ draft, pen, cols }: Drawing, line: Line): void {
  pen.toCell(line, cols - 1);
  draft.column(cols - 2);
  draft.write(`${wideBlank}\r\u001b[4h \u001b[4l\r`);
  pen.plain();
  draft.write(`\u001b[${cols - 1}X`);
}

/** Cells from `start`, where the cursor stands. */
export function drawCells(drawing: Drawing, line: Line, start: number, junk: number): boolean {
  const { cols } = drawing;
  const end = lastToDraw(line, start, cols, junk);
  let x = start;
  let dirty = junk;
  while (x <= end || x === dirty) {
    const what = kind(line, x);
    if (what === 'text') {
      const next = drawText(drawing, line, x);
      if (next === null) return false;
      x = next;
      if (dirty < x) dirty = -1;
    } else if (what === 'inked') {
      if (x === cols - 1) return false; // drawn before the row
      drawInked(drawing, line, x);
      x++;
      dirty = x;
    } else {
      const next = drawBlanks(drawing, line, x, dirty);
      if (dirty < next) dirty = -1;
      x = next;
    }
  }
  return hasText(line, cols - 1) || width(line, cols - 1) === 0;
}

/** Blanks at the end of a row need nothing, but for the column that is not blank yet. */
function lastToDraw(line: Line, start: number, cols: number, junk: number): number {
  let last = cols - 1;
  while (last > start && last > junk && kind(line, last) === 'blank' && width(line, last) > 0)
    last--;
  return last;
}

/** A run of text with one pen; the next column, or null when the rest cannot be printed. */
function drawText({ draft, pen, cols }: Drawing, line: Line, start: number): number | null {
  let columns = width(line, start);
  pen.toCell(line, start);
  if (columns === 2 && start === cols - 1) {
    draft.approximate('half of a wide character at the margin');
    return null;
  }
  if (columns === 0) {
    draft.write(apart);
    columns = 1;
  }
  let run = text(line, start);
  let x = start + columns;
  const fg = foreground(line, start);
  const bg = background(line, start);
  while (
    !(bg & hasExtended) &&
    x < cols &&
    foreground(line, x) === fg &&
    background(line, x) === bg
  ) {
    columns = width(line, x);
    if (!hasText(line, x) || columns === 0 || (columns === 2 && x === cols - 1)) break;
    run += text(line, x);
    x += columns;
  }
  draft.write(run);
  return x;
}

/** A blank that keeps a pen: a wide blank, then its second half overwritten. The overwritten column is left to be drawn. */
function drawInked({ draft, pen }: Drawing, line: Line, x: number): void {
  pen.toCell(line, x);
  draft.write(wideBlank);
  draft.column(x + 1);
  draft.write(' ');
  draft.column(x + 1);
}

/** A run of blanks of one background: skipped, or erased where it has a colour or the column is not blank yet. */
function drawBlanks(
  { draft, pen, cols }: Drawing,
  line: Line,
  start: number,
  dirty: number,
): number {
  const what = kind(line, start);
  const bg = background(line, start);
  let next = start + 1;
  while (
    next < cols &&
    next !== dirty &&
    start !== dirty &&
    kind(line, next) === what &&
    background(line, next) === bg
  )
    next++;
  const count = next - start;
  if (what === 'erased' || start === dirty) {
    pen.toErased(bg);
    draft.write(`\u001b[${count}X`);
  }
  if (next < cols) draft.write(`\u001b[${count}C`);
  return next;
}

/** All cells but the last are blanks of one background, like the last. */
export function evenlyBlank(line: Line, cols: number): boolean {
  const what = kind(line, cols - 1);
  if (what !== 'blank' && what !== 'erased') return false;
  for (let x = 0; x < cols - 1; x++)
    if (kind(line, x) !== what || background(line, x) !== background(line, cols - 1)) return false;
  return true;
}
