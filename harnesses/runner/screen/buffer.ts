import { kind } from './cells.ts';
import { lineAt, type Drawing } from './drawing.ts';
import type { ScreenBuffer } from './internals.ts';
import { drawCells, drawLine, wideBlank } from './lines.ts';
import { hasSaved, saveCursor } from './saved-cursor.ts';

/**
 * Draws one of the two buffers, which is empty and in use: its rows from `from` on in their order, so that what scrolls away becomes its
 * scrollback; its saved cursor, tab stops and scroll region.
 */
export function drawBuffer(
  drawing: Drawing,
  buffer: ScreenBuffer,
  { from, scrolls }: { from: number; scrolls: boolean },
): void {
  const { draft, pen, rows, cols } = drawing;
  const total = buffer.lines.length;
  const savedRow = buffer.savedY - from;
  let saved = !hasSaved(buffer);

  if (scrolls && !saved && savedRow >= total - from) {
    saveBelow(drawing, buffer, savedRow);
    saved = true;
  }
  const startsWrapped = lineAt(buffer, from).isWrapped;
  if (startsWrapped) startWrapped(drawing, scrolls);
  pen.cursorSaved();
  draft.write('\u001b[H');
  let junk = startsWrapped ? 0 : -1;
  let full = false;
  for (let at = from; at < total; at++) {
    if (at > from) junk = nextRow(drawing, buffer, { at, from, full });
    // Now, while its row is the current one: only so does it get a row in the scrollback.
    if (!saved && at - from === savedRow) {
      saveCursor(drawing, buffer, Math.min(savedRow, rows - 1), true);
      if (buffer.savedX >= cols) junk = -1;
      draft.write('\r');
      saved = true;
    }
    full = drawLine(drawing, lineAt(buffer, at), junk);
  }
  setTabStops(drawing, buffer);
  if (!saved || pen.savedLost()) saveLate(drawing, buffer);
  pen.plain();
  if (buffer.scrollTop !== 0 || buffer.scrollBottom !== rows - 1)
    draft.write(`\u001b[${buffer.scrollTop + 1};${buffer.scrollBottom + 1}r`);
}

/** The saved row lies below the last line, left there when the scrollback was cleared: scroll, save, clear it again. */
function saveBelow(drawing: Drawing, buffer: ScreenBuffer, savedRow: number): void {
  const { draft, rows } = drawing;
  const scrolled = savedRow - rows + 1;
  draft.moveTo(0, rows - 1);
  draft.write('\n'.repeat(Math.max(0, scrolled)));
  saveCursor(drawing, buffer, Math.min(savedRow - scrolled, rows - 1), true);
  draft.write('\u001b[3J\u001b[H');
}

/** The first row goes on from one that is no longer kept: wrap one into being, then drop the one above. */
function startWrapped({ draft, pen, rows, cols }: Drawing, scrolls: boolean): void {
  pen.plain();
  draft.write(`\u001b[H${' '.repeat(cols + 1)}`);
  draft.moveTo(0, rows - 1);
  draft.write(scrolls ? '\n\u001b[3J' : '\n');
}

/**
 * From the end of a row to the start of the next. A row that goes on from the one above gets that mark only by printing over the margin; a line
 * feed or erasing its first column would clear it. Returns the column that is not blank then.
 */
function nextRow(
  drawing: Drawing,
  buffer: ScreenBuffer,
  { at, from, full }: { at: number; from: number; full: boolean },
): number {
  const { draft, pen, rows, cols } = drawing;
  if (!lineAt(buffer, at).isWrapped) {
    // A row that scrolls in has the pen's background.
    if (at - from >= rows && pen.colored) pen.plain();
    draft.write('\r\n');
    return -1;
  }
  if (full) {
    pen.plain();
    draft.write(' \r');
    return 0;
  }
  const above = lineAt(buffer, at - 1);
  if (kind(above, cols - 1) === 'inked') {
    pen.toCell(above, cols - 1);
    draft.column(cols - 1);
    draft.write(wideBlank);
    pen.plain();
    draft.write(`\r\u001b[${cols}X`);
    return -1;
  }
  pen.plain();
  draft.column(cols - 1);
  draft.write('  \u001b[A');
  draft.column(cols - 1);
  if (above._data.length >= cols * 3) drawCells(drawing, above, cols - 1, cols - 1);
  draft.write('\u001b[B\r');
  return 0;
}

/** Each buffer has its own. Beyond the margin they show only when the terminal is widened. */
function setTabStops({ core, draft, cols }: Drawing, buffer: ScreenBuffer): void {
  const { tabStopWidth } = core.optionsService.rawOptions;
  const usual = (x: number): boolean => x % tabStopWidth === 0;
  const columns = Array.from({ length: cols }, (_none, x) => x);
  const stops = columns.filter((x) => buffer.tabs[x] === true);
  if (columns.every((x) => usual(x) === (buffer.tabs[x] === true))) return;
  draft.write('\u001b[3g');
  for (const x of stops) {
    draft.column(x);
    draft.write('\u001bH');
  }
}

/** After the rows: the position is reached only on the screen. */
function saveLate(drawing: Drawing, buffer: ScreenBuffer): void {
  const { draft, rows, cols } = drawing;
  const y = buffer.savedY - buffer.ybase;
  if (y < 0 || y >= rows || buffer.savedX >= cols) draft.approximate('saved position clamped');
  saveCursor(drawing, buffer, Math.max(0, Math.min(rows - 1, y)), false);
}
