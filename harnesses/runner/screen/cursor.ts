import { background, hasText, kind, text, width } from './cells.ts';
import { lineAt, type Drawing } from './drawing.ts';
import type { Line, ScreenBuffer } from './internals.ts';
import { apart, evenlyBlank, wideBlank } from './lines.ts';

/** Moves to a place of the screen. In origin mode rows count from the region and end with it. */
export function goTo(drawing: Drawing, active: ScreenBuffer, x: number, y: number): void {
  const { core, draft } = drawing;
  if (!core.coreService.decPrivateModes.origin) {
    draft.moveTo(x, y);
    return;
  }
  if (y >= active.scrollTop && y <= active.scrollBottom) {
    draft.moveTo(x, y - active.scrollTop);
    return;
  }
  if (active === core._bufferService.buffers.alt) {
    draft.approximate('cursor outside the region');
    draft.moveTo(x, y - active.scrollTop);
    return;
  }
  // The other buffer has no region, and the cursor's place travels back from it.
  draft.write('\u001b[?47h');
  draft.moveTo(x, y);
  draft.write('\u001b[?47l');
}

/** The cursor where nothing was printed last. `oddPen`: the pen is in place already and must not be changed. */
export function placeCursor(drawing: Drawing, active: ScreenBuffer, oddPen: boolean): void {
  const { core, draft, cols } = drawing;
  if (active.x < cols) {
    goTo(drawing, active, active.x, active.y);
    return;
  }
  if (active === core._bufferService.buffers.normal) {
    hangBehind(drawing, active);
    return;
  }
  const line = lineAt(active, active.ybase + active.y);
  if (hasText(line, cols - 1) || width(line, cols - 1) === 0) {
    const x = hasText(line, cols - 1) ? cols - 1 : cols - 2;
    goTo(drawing, active, x, active.y);
    if (oddPen) draft.approximate('pen flags');
    drawing.pen.toCell(line, x);
    draft.write(text(line, x));
    return;
  }
  goTo(drawing, active, cols - 1, active.y);
  if (evenlyBlank(line, cols)) {
    drawing.pen.to({ fg: 0, bg: background(line, cols - 1) & 0x3ffffff, extended: 0, link: 0 });
    draft.write(' \u001b[1K');
  } else draft.approximate('pending wrap over an erased cell');
}

/** Behind the last column of the normal buffer: print at the other one's margin, and the column travels back. */
export function hangBehind({ draft, cols }: Drawing, normal: ScreenBuffer): void {
  draft.write('\u001b[?47h');
  draft.moveTo(cols - 1, normal.y);
  draft.write(` ${`${apart}\u200b`.repeat(normal.x - cols)}\u001b[?47l`);
}

/**
 * Prints the last character once more, at the very end: a combining mark or a repetition (REP) that follows must find it. `join` holds its
 * width.
 */
export function printAgain(drawing: Drawing, active: ScreenBuffer, join: number): void {
  const { core, draft, cols } = drawing;
  const columns = (join >> 1) & 3;
  const line = lineAt(active, active.ybase + active.y);
  const x = active.x - columns;
  if (!core.coreService.decPrivateModes.wraparound && didNotFit(line, active.x, columns, cols)) {
    goTo(drawing, active, active.x, active.y);
    draft.write(wideBlank);
    return;
  }
  if (x < 0 || x >= cols || kind(line, x) !== 'text') {
    goTo(drawing, active, Math.min(active.x, cols - 1), active.y);
    draft.approximate('last character');
    return;
  }
  goTo(drawing, active, x, active.y);
  if (core.coreService.modes.insertMode) draft.write(`\u001b[${columns}P`);
  draft.write(text(line, x));
}
/** A wide character at the margin without wrapping is dropped, but remembered. */
const didNotFit = (line: Line, x: number, columns: number, cols: number): boolean =>
  x === cols - 1 && columns === 2 && width(line, Math.max(0, x - columns)) !== 2;
