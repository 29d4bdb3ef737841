import type { Core } from './internals.ts';

/** `rgb` by palette index; 256 foreground, 257 background, 258 cursor. */
export type Palette = ReadonlyMap<number, readonly [number, number, number]>;

const mouseProtocols: Readonly<Record<string, string>> = {
  X10: '\u001b[?9h',
  VT200: '\u001b[?1000h',
  DRAG: '\u001b[?1002h',
  ANY: '\u001b[?1003h',
};
const mouseEncodings: Readonly<Record<string, string>> = {
  SGR: '\u001b[?1006h',
  SGR_PIXELS: '\u001b[?1016h',
};
const cursorStyles = { block: 2, underline: 4, bar: 6 } as const;

/** Modes, mouse and the cursor's look. `blinks`: how the cursor does before any program says so. */
export function modes(core: Core, blinks: boolean): string {
  const { decPrivateModes: on, modes: ansi, isCursorHidden } = core.coreService;
  const { convertEol, cursorBlink } = core.optionsService.rawOptions;
  const { activeProtocol, activeEncoding } = core.coreMouseService;
  const style = on.cursorStyle && cursorStyles[on.cursorStyle] - (on.cursorBlink ? 1 : 0);
  return [
    on.applicationCursorKeys ? '\u001b[?1h' : '',
    on.applicationKeypad ? '\u001b=' : '',
    on.bracketedPasteMode ? '\u001b[?2004h' : '',
    on.reverseWraparound ? '\u001b[?45h' : '',
    on.wraparound ? '' : '\u001b[?7l',
    ansi.insertMode ? '\u001b[4h' : '',
    convertEol ? '\u001b[20h' : '',
    isCursorHidden ? '\u001b[?25l' : '\u001b[?25h',
    cursorBlink === blinks ? '' : `\u001b[?12${cursorBlink ? 'h' : 'l'}`,
    on.sendFocus ? '\u001b[?1004h' : '',
    mouseProtocols[activeProtocol] ?? '',
    mouseEncodings[activeEncoding] ?? '',
    style === undefined ? '' : `\u001b[${style} q`,
  ].join('');
}

const hex = (value: number): string => value.toString(16).padStart(2, '0');
export const colors = (palette: Palette): string =>
  [...palette]
    .map(([index, [r, g, b]]) => {
      const color = `rgb:${hex(r)}/${hex(g)}/${hex(b)}`;
      return index < 256
        ? `\u001b]4;${index};${color}\u0007`
        : `\u001b]${index - 246};${color}\u0007`;
    })
    .join('');

/** Window title and icon name, and what was pushed of them. */
export function titles({ _inputHandler: handler }: Core): string {
  const one = (code: number, now: string, stack: readonly string[], pushed: number): string =>
    stack.map((text) => `\u001b]${code};${text}\u0007\u001b[22;${pushed}t`).join('') +
    (now !== '' || stack.length > 0 ? `\u001b]${code};${now}\u0007` : '');
  return (
    one(2, handler._windowTitle, handler._windowTitleStack, 2) +
    one(1, handler._iconName, handler._iconNameStack, 1)
  );
}
