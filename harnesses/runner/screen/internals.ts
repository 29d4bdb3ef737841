import type { Terminal } from '@xterm/headless';

/**
 * What the screen writer reads of @xterm/headless 6.0.0 behind its public interface. The public one has no scroll region, saved cursor, tab
 * stops, character sets, pen, titles or parser state, and without them a screen cannot be drawn again exactly.
 */
export interface Extended {
  readonly _ext: number;
  readonly _urlId: number;
}
export interface Attributes {
  readonly fg: number;
  readonly bg: number;
  readonly extended: Extended;
}
export interface Line {
  readonly isWrapped: boolean;
  /** Three words a cell: content and width, foreground, background. */
  readonly _data: Uint32Array;
  readonly _combined: Readonly<Record<number, string>>;
  readonly _extendedAttrs: Readonly<Record<number, Extended | undefined>>;
}
/** A table of replacements, one object per designation and process; undefined is US ASCII. */
export type Charset = Readonly<Record<string, string>> | undefined;
export interface ScreenBuffer {
  x: number;
  readonly y: number;
  readonly ybase: number;
  readonly savedX: number;
  /** Counts from the start of the scrollback, unlike `y`. */
  readonly savedY: number;
  readonly savedCurAttrData: Attributes;
  readonly savedCharset: Charset;
  readonly scrollTop: number;
  readonly scrollBottom: number;
  readonly tabs: Readonly<Record<string, boolean>>;
  readonly lines: { readonly length: number; get(index: number): Line | undefined };
}
export interface ColorEvent {
  /** 0 asks, 1 sets, 2 restores. */
  readonly type: number;
  /** Below 256 the palette; 256 foreground, 257 background, 258 cursor. Absent when all are restored. */
  readonly index?: number;
  readonly color?: readonly [number, number, number];
}
export interface Parser {
  /** 0 is the ground state: no sequence is unfinished. */
  readonly currentState: number;
  /** How the last printed character joins with a following one; 0 after any control or sequence. */
  readonly precedingJoinState: number;
  reset(): void;
}
export interface Handler {
  readonly _parser: Parser;
  readonly _curAttrData: Attributes;
  readonly _windowTitle: string;
  readonly _iconName: string;
  readonly _windowTitleStack: readonly string[];
  readonly _iconNameStack: readonly string[];
  parse(bytes: Uint8Array): unknown;
  onColor(listener: (events: readonly ColorEvent[]) => void): unknown;
  setHyperlink(data: string): unknown;
  eraseInLine(params: { params: number[] }, respectProtect: boolean): unknown;
  eraseInDisplay(params: { params: number[] }, respectProtect: boolean): unknown;
}
export interface PrivateModes {
  readonly applicationCursorKeys: boolean;
  readonly applicationKeypad: boolean;
  readonly bracketedPasteMode: boolean;
  readonly cursorBlink: boolean | undefined;
  readonly cursorStyle: 'block' | 'underline' | 'bar' | undefined;
  readonly origin: boolean;
  readonly reverseWraparound: boolean;
  readonly sendFocus: boolean;
  readonly synchronizedOutput: boolean;
  readonly wraparound: boolean;
}
export interface Core {
  readonly _inputHandler: Handler;
  readonly _bufferService: {
    readonly cols: number;
    readonly rows: number;
    readonly buffers: {
      readonly normal: ScreenBuffer;
      readonly alt: ScreenBuffer;
      readonly active: ScreenBuffer;
    };
  };
  readonly _charsetService: {
    readonly charset: Charset;
    readonly _charsets: readonly Charset[];
    readonly glevel: number;
  };
  readonly coreService: {
    readonly isCursorHidden: boolean;
    readonly modes: { readonly insertMode: boolean };
    readonly decPrivateModes: PrivateModes;
  };
  readonly coreMouseService: { readonly activeProtocol: string; readonly activeEncoding: string };
  readonly optionsService: {
    readonly rawOptions: {
      readonly convertEol: boolean;
      readonly cursorBlink: boolean;
      readonly tabStopWidth: number;
    };
  };
  readonly _oscLinkService: {
    readonly _dataByLinkId: ReadonlyMap<number, { data: { id?: string; uri: string } }>;
  };
}

/** Everything above by path, with the type that it has on a terminal that nothing was written to. */
const expected: readonly (readonly [path: string, type: string])[] = [
  ...(['_parser.currentState', '_parser.precedingJoinState', '_curAttrData.fg'] as const).map(
    (path) => [`_inputHandler.${path}`, 'number'] as const,
  ),
  ['_inputHandler._curAttrData.bg', 'number'],
  ['_inputHandler._curAttrData.extended._ext', 'number'],
  ['_inputHandler._curAttrData.extended._urlId', 'number'],
  ['_inputHandler._parser.reset', 'function'],
  ['_inputHandler._windowTitle', 'string'],
  ['_inputHandler._iconName', 'string'],
  ['_inputHandler._windowTitleStack', 'Array'],
  ['_inputHandler._iconNameStack', 'Array'],
  ['_inputHandler.parse', 'function'],
  ['_inputHandler.onColor', 'function'],
  ['_inputHandler.setHyperlink', 'function'],
  ['_inputHandler.eraseInLine', 'function'],
  ['_inputHandler.eraseInDisplay', 'function'],
  ['_bufferService.cols', 'number'],
  ['_bufferService.rows', 'number'],
  ['_bufferService.buffers.active', 'object'],
  ...['normal', 'alt'].flatMap((name) =>
    [
      ...['x', 'y', 'ybase', 'savedX', 'savedY', 'scrollTop', 'scrollBottom', 'lines.length'].map(
        (path) => [path, 'number'] as const,
      ),
      ['savedCurAttrData.fg', 'number'] as const,
      ['savedCurAttrData.bg', 'number'] as const,
      ['savedCharset', 'undefined'] as const,
      ['tabs', 'object'] as const,
      ['lines.get', 'function'] as const,
    ].map(([path, type]) => [`_bufferService.buffers.${name}.${path}`, type] as const),
  ),
  ['_charsetService._charsets', 'Array'],
  ['_charsetService.glevel', 'number'],
  ['coreService.isCursorHidden', 'boolean'],
  ['coreService.modes.insertMode', 'boolean'],
  ...[
    'applicationCursorKeys',
    'applicationKeypad',
    'bracketedPasteMode',
    'origin',
    'reverseWraparound',
    'sendFocus',
    'synchronizedOutput',
    'wraparound',
  ].map((name) => [`coreService.decPrivateModes.${name}`, 'boolean'] as const),
  ['coreMouseService.activeProtocol', 'string'],
  ['coreMouseService.activeEncoding', 'string'],
  ['optionsService.rawOptions.convertEol', 'boolean'],
  ['optionsService.rawOptions.cursorBlink', 'boolean'],
  ['optionsService.rawOptions.tabStopWidth', 'number'],
  ['_oscLinkService._dataByLinkId', 'Map'],
];

const typeOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'Array';
  if (value instanceof Map) return 'Map';
  return typeof value;
};

/** What a terminal lacks of the paths above, in words; empty when it is the version that the writer was written for. */
export function missing(core: unknown): string[] {
  const wrong = expected.flatMap(([path, type]) => {
    let at: unknown = core;
    for (const name of path.split('.')) {
      if (typeof at !== 'object' || at === null || !(name in at)) return [`${path} is not there`];
      at = (at as Record<string, unknown>)[name];
    }
    return typeOf(at) === type ? [] : [`${path} is ${typeOf(at)}, not ${type}`];
  });
  if (wrong.length > 0) return wrong;
  const line = (core as Core)._bufferService.buffers.normal.lines.get(0);
  const known =
    line?._data instanceof Uint32Array &&
    typeof line.isWrapped === 'boolean' &&
    typeof lineClass(core as Core).addCodepointToCell === 'function';
  return known ? [] : ['a line has no _data, isWrapped or addCodepointToCell'];
}

/** The class that all lines share. */
export interface LineClass {
  addCodepointToCell: (this: Line, x: number, codePoint: number, columns: number) => void;
}
export const lineClass = (core: Core): LineClass =>
  Object.getPrototypeOf(core._bufferService.buffers.normal.lines.get(0)) as LineClass;

export const coreOf = (terminal: Terminal): Core => (terminal as unknown as { _core: Core })._core;
