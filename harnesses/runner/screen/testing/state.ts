import * as xterm from '@xterm/headless';
import { boundCells, boundLinks } from '../bounds.ts';
import {
  background,
  content,
  foreground,
  hasExtended,
  normal,
  normalExtended,
  text,
  hasText,
  width,
} from '../cells.ts';
import { guard } from '../guard.ts';
import { terminalOptions } from '../headless.ts';
import { coreOf, type Core, type Line, type ScreenBuffer } from '../internals.ts';
import { charsetFinals } from '../charsets.ts';
import { createReader } from '../reader.ts';
import { createScreenWriter, type ScreenWriter } from '../screen-writer.ts';

const { Terminal } = (xterm as unknown as { default: typeof xterm }).default;
const scratch = () => new Terminal({ ...terminalOptions, cols: 2, rows: 1 });
export const finalOf = charsetFinals(scratch);
boundCells(scratch());

export interface Size {
  cols: number;
  rows: number;
  scrollback: number;
}
/** A terminal with its writer, both sides alike. */
export interface Side {
  readonly terminal: InstanceType<typeof Terminal>;
  readonly core: Core;
  readonly writer: ScreenWriter;
  readonly replies: string[];
  put(bytes: Uint8Array | string): void;
  /** The bytes of the sequence that is not finished. */
  rest(): Uint8Array;
}
export function createSide({ cols, rows, scrollback }: Size): Side {
  const terminal = new Terminal({ ...terminalOptions, cols, rows, scrollback });
  const core = coreOf(terminal);
  guard(terminal);
  boundLinks(terminal);
  const writer = createScreenWriter(terminal, finalOf);
  const replies: string[] = [];
  terminal.onData((data) => replies.push(data));
  const reader = createReader(terminal);
  return {
    terminal,
    core,
    writer,
    replies,
    put(data) {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data;
      const fault = reader.read(bytes);
      if (fault !== undefined) throw new Error('the terminal threw', { cause: fault });
    },
    rest: () => reader.unfinished(),
  };
}

/** Everything that decides what a terminal shows and what it does with the next byte. */
export type State = Record<string, string | readonly string[]>;

const hex = (word: number): string => word.toString(16);
function uriOf(core: Core, link: number): string {
  return link === 0
    ? ''
    : (core._oscLinkService._dataByLinkId.get(link)?.data.uri ?? 'about:blank');
}
function cell(core: Core, line: Line, x: number): string {
  const bg = background(line, x);
  const own = bg & hasExtended ? line._extendedAttrs[x] : undefined;
  const shown = hasText(line, x) ? text(line, x) : '';
  const extended = own ? `${hex(normalExtended(own._ext))}${uriOf(core, own._urlId)}` : '';
  return `${shown}|${width(line, x)}|${hex(normal(foreground(line, x)))}|${hex(normal(bg))}|${extended}`;
}
const blank = 1 << 22;
const isBlank = (line: Line, x: number): boolean =>
  content(line, x) === blank && foreground(line, x) === 0 && background(line, x) === 0;
function row(core: Core, line: Line, cols: number): string {
  let last = cols - 1;
  while (last >= 0 && isBlank(line, last)) last--;
  const cells: string[] = [line.isWrapped ? 'wrapped' : ''];
  for (let x = 0; x <= last; x++) cells.push(cell(core, line, x));
  return cells.join('\u0002');
}
function bufferState(core: Core, buffer: ScreenBuffer, name: string, state: State): void {
  const { cols, buffers } = core._bufferService;
  const inactiveAlternate = name === 'alternate' && buffers.active !== buffer;
  const { fg, bg } = buffer.savedCurAttrData;
  state[`${name} saved`] = JSON.stringify([
    // It is clamped when the alternate screen is entered again.
    inactiveAlternate ? Math.min(buffer.savedX, cols - 1) : buffer.savedX,
    buffer.savedY,
    hex(normal(fg)),
    hex(normal(bg)),
    finalOf(buffer.savedCharset),
  ]);
  // It is made anew when it is entered.
  if (inactiveAlternate) return;
  state[`${name} cursor`] = `${buffer.x},${buffer.y}`;
  state[`${name} base`] = `${buffer.ybase}/${buffer.lines.length}`;
  state[`${name} region`] = `${buffer.scrollTop}-${buffer.scrollBottom}`;
  const stops = Array.from({ length: cols }, (_none, x) => x).filter(
    (x) => buffer.tabs[x] === true,
  );
  state[`${name} tabs`] = stops.join();
  state[`${name} lines`] = Array.from({ length: buffer.lines.length }, (_none, at) => {
    const line = buffer.lines.get(at);
    return line ? row(core, line, cols) : 'none';
  });
}
export function stateOf(side: Side): State {
  const { core, terminal, writer } = side;
  const { cols, rows, buffers } = core._bufferService;
  const { _inputHandler: handler, _charsetService: charsets, coreService } = core;
  const { convertEol, cursorBlink } = core.optionsService.rawOptions;
  const { fg, bg, extended } = handler._curAttrData;
  const { decPrivateModes: dec } = coreService;
  const state: State = {
    size: `${cols}x${rows}`,
    buffer: buffers.active === buffers.alt ? 'alternate' : 'normal',
    pen: [
      hex(normal(fg)),
      hex(normal(bg)),
      hex(normalExtended(extended._ext)),
      uriOf(core, extended._urlId),
    ].join(),
    charsets: JSON.stringify([
      charsets.glevel,
      finalOf(charsets.charset),
      ...[0, 1, 2, 3].map((at) => finalOf(charsets._charsets[at])),
    ]),
    modes: JSON.stringify([
      coreService.modes,
      { ...dec, cursorStyle: dec.cursorStyle ?? '', cursorBlink: dec.cursorBlink ?? false },
      coreService.isCursorHidden,
      core.coreMouseService.activeProtocol,
      core.coreMouseService.activeEncoding,
      convertEol,
      cursorBlink,
      terminal.modes,
    ]),
    titles: JSON.stringify([
      handler._windowTitle,
      handler._iconName,
      handler._windowTitleStack,
      handler._iconNameStack,
    ]),
    palette: JSON.stringify([...writer.palette].sort(([a], [b]) => a - b)),
    parser: `${handler._parser.currentState},${handler._parser.precedingJoinState}`,
    unfinished: side.rest().join(),
  };
  bufferState(core, buffers.normal, 'normal', state);
  bufferState(core, buffers.alt, 'alternate', state);
  return state;
}

/** What differs, in words; the part before the first colon or bracket names the kind of state. */
export function differences(expected: State, found: State): string[] {
  const keys = new Set([...Object.keys(expected), ...Object.keys(found)]);
  return [...keys].flatMap((key) => {
    const a = expected[key];
    const b = found[key];
    if (!Array.isArray(a) || !Array.isArray(b))
      return a === b ? [] : [`${key}: ${JSON.stringify(a)} became ${JSON.stringify(b)}`];
    if (a.length !== b.length) return [`${key}: ${a.length} became ${b.length}`];
    const at = (a as string[]).findIndex((line, index) => line !== b[index]);
    if (at < 0) return [];
    const [was, is] = [String(a[at]).split('\u0002'), String(b[at]).split('\u0002')];
    const column = was.findIndex((one, index) => one !== is[index]);
    return [`${key}[${at}] column ${column - 1}: ${was[column] ?? ''} became ${is[column] ?? ''}`];
  });
}
