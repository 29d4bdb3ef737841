import type { Terminal } from '@xterm/headless';
import { drawBuffer } from './buffer.ts';
import { hangBehind, placeCursor, printAgain } from './cursor.ts';
import { createDraft, type Approximation } from './draft.ts';
import type { Drawing } from './drawing.ts';
import { coreOf, type Charset } from './internals.ts';
import { designate, leftOver, programPen, restoreLeftOver } from './left-over.ts';
import { colors, modes, titles, type Palette } from './modes.ts';
import { barePen, createPenWriter } from './pen.ts';
import { hasSaved, saveCursor } from './saved-cursor.ts';

/** A program's unfinished sequence is given up, all is reset, and what a reset leaves: line feed mode, colours. */
const reset =
  '\u0018\u001bc\u001b[20l\u001b]104\u0007\u001b]110\u0007\u001b]111\u0007\u001b]112\u0007';

export interface ScreenWriter {
  /** What draws this screen on an empty terminal of the same size, and what of it is only near. Changes nothing. */
  write(options: { scrollback: number }): {
    text: string;
    approximations: ReadonlySet<Approximation>;
  };
  readonly palette: Palette;
}

/** To be made before the terminal's first byte: the palette is told only as it changes. */
export function createScreenWriter(
  terminal: Terminal,
  finalOf: (charset: Charset) => string,
): ScreenWriter {
  const core = coreOf(terminal);
  const blinks = core.optionsService.rawOptions.cursorBlink;
  const palette = new Map<number, readonly [number, number, number]>();
  core._inputHandler.onColor((events) => {
    for (const { type, index, color } of events) {
      if (type === 1 && index !== undefined && color) palette.set(index, color);
      else if (type === 2 && index !== undefined) palette.delete(index);
      else if (type === 2) for (let at = 0; at < 256; at++) palette.delete(at);
    }
  });

  function write({ scrollback }: { scrollback: number }) {
    const { cols, rows, buffers } = core._bufferService;
    const { normal, alt, active } = buffers;
    const draft = createDraft();
    const pen = createPenWriter(draft, core);
    const drawing: Drawing = { core, cols, rows, draft, pen, finalOf };

    draft.write(reset);
    pen.holds(barePen);
    if (active === normal && hasSaved(alt)) saveInAlternate(drawing);
    const from = Math.max(0, normal.lines.length - rows - scrollback);
    drawBuffer(drawing, normal, { from, scrolls: true });
    if (active === alt) {
      // Its place shows again when the terminal is resized, and when the program leaves the alternate screen.
      pen.plain();
      if (normal.x < cols) draft.moveTo(normal.x, normal.y);
      else hangBehind(drawing, normal);
      // Not 1049: that one saves the cursor.
      draft.write('\u001b[?47h');
      drawBuffer(drawing, alt, { from: 0, scrolls: false });
    }

    const odd = leftOver(drawing);
    if (odd.pen || odd.charset) restoreLeftOver(drawing, active, odd);
    if (core.coreService.decPrivateModes.origin) draft.write('\u001b[?6h');
    const join = core._inputHandler._parser.precedingJoinState;
    if (join === 0) placeCursor(drawing, active, odd.pen);
    if (!odd.pen && !odd.charset) designate(drawing);
    draft.write(modes(core, blinks) + colors(palette) + titles(core));
    if (core.coreService.decPrivateModes.synchronizedOutput) draft.write('\u001b[?2026h');
    if (!odd.pen) pen.to(programPen(drawing));
    if (join !== 0) printAgain(drawing, active, join);
    return { text: draft.text, approximations: draft.approximations };
  }
  return { write, palette };
}

/** The alternate buffer's saved cursor outlives leaving it. */
function saveInAlternate(drawing: Drawing): void {
  const { core, draft, pen, rows } = drawing;
  const { alt } = core._bufferService.buffers;
  draft.write('\u001b[?47h');
  saveCursor(drawing, alt, Math.min(alt.savedY, rows - 1), false);
  pen.plain();
  draft.write('\u001b[?47l');
}
