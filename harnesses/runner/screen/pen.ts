import {
  background,
  colorMode,
  foreground,
  hasExtended,
  isProtected,
  normal,
  normalExtended,
  underlined,
  underlineStyle,
} from './cells.ts';
import type { Draft } from './draft.ts';
import type { Core, Line } from './internals.ts';

/** Normalised words; `link` is the number of the link in this terminal, 0 for none. */
export interface PenState {
  readonly fg: number;
  readonly bg: number;
  readonly extended: number;
  readonly link: number;
}
/** [bit, SGR on, SGR off] */
export type Flag = readonly [bit: number, on: number, off: number];
export const foregroundFlags: readonly Flag[] = [
  [0x8000000, 1, 22],
  [0x20000000, 5, 25],
  [0x4000000, 7, 27],
  [0x40000000, 8, 28],
  [0x80000000, 9, 29],
];
export const backgroundFlags: readonly Flag[] = [
  [0x8000000, 2, 22],
  [0x4000000, 3, 23],
  [0x40000000, 53, 55],
];

/** `base` 30 or 40. A palette colour below 16 is another colour than the same number set by 38;5. */
export function colorSgr(word: number, base: number): string {
  const value = word & 0xff;
  switch (word & colorMode) {
    case 0:
      return '';
    case 0x1000000:
      return `;${value < 8 ? base + value : base + 52 + value}`;
    case 0x2000000:
      return `;${base + 8};5;${value}`;
    default:
      return `;${base + 8};2;${(word >>> 16) & 255};${(word >>> 8) & 255};${value}`;
  }
}
function underlineColorSgr(word: number): string {
  const mode = word & colorMode;
  if (mode === 0) return '';
  return mode === colorMode
    ? `;58:2::${(word >>> 16) & 255}:${(word >>> 8) & 255}:${word & 255}`
    : `;58:5:${word & 255}`;
}
/** The whole pen but its link. */
export function sgr({ fg, bg, extended }: Omit<PenState, 'link'>): string {
  const on = (word: number, flags: readonly Flag[]): string =>
    flags.map(([bit, set]) => (word & bit ? `;${set}` : '')).join('');
  const style = underlineStyle(extended);
  const underline = style === 0 ? '' : style === 1 ? ';4' : `;4:${style}`;
  return (
    `\u001b[0${on(fg, foregroundFlags)}${on(bg, backgroundFlags)}${underline}` +
    `${colorSgr(fg, 30)}${colorSgr(bg, 40)}${underlineColorSgr(extended)}m` +
    (bg & isProtected ? '\u001b[1"q' : '')
  );
}
/** SGR and OSC 8 set flags and extended part together; only a restored cursor leaves them apart. */
export const consistent = ({ fg, bg, extended, link }: PenState): boolean =>
  ((fg & underlined) !== 0) === (underlineStyle(extended) !== 0) &&
  ((bg & hasExtended) !== 0) === (underlineStyle(extended) !== 0 || link !== 0);

/** A link that only makes the pen have an extended part. */
export const emptyLink = '\u001b]8;id=snap0;about:blank\u0007';
export const noLink = '\u001b]8;;\u0007';

/** Knows which pen the viewer holds, and writes only what changes it. */
export interface PenWriter {
  to(pen: PenState): void;
  toCell(line: Line, x: number): void;
  /** Only the background decides what erasing leaves. */
  toErased(bg: number): void;
  plain(): void;
  /** The viewer's pen is no longer known, or known to be this. */
  holds(pen: PenState | null): void;
  /** The viewer's background is a colour. */
  readonly colored: boolean;
  linkTo(link: number): string;
  /** Drawing had to overwrite the saved cursor: it must be saved again. */
  savedLost(): boolean;
  cursorSaved(): void;
}
export const barePen: PenState = { fg: 0, bg: 0, extended: 0, link: 0 };

export function createPenWriter(draft: Draft, core: Core): PenWriter {
  let held: PenState | null = null;
  let lost = false;
  const links = core._oscLinkService._dataByLinkId;

  /** With an id of our own: two cells with one link stay one link. */
  function linkTo(link: number): string {
    if (link === 0) return noLink;
    const data = links.get(link)?.data;
    if (!data) draft.approximate('dead link');
    return `\u001b]8;id=${data?.id ?? `snap${link}`};${data?.uri ?? 'about:blank'}\u0007`;
  }
  /** Sets the flags, saves, sets the extended part, restores the flags: what DECRC did to the program's pen. */
  function toInconsistent(pen: PenState): void {
    const { fg, bg, extended, link } = pen;
    lost = true;
    draft.write(noLink + sgr({ fg, bg, extended: fg & underlined ? 1 << 26 : 0 }));
    if (bg & hasExtended && !(fg & underlined)) draft.write(emptyLink);
    draft.write(`\u001b7${sgr({ fg: 0, bg: 0, extended })}${linkTo(link)}\u001b8`);
    if (!(bg & hasExtended) && link === 0) draft.write(noLink);
  }
  function set(fg: number, bg: number, extended: number, link: number): void {
    if (held?.fg === fg && held.bg === bg && held.extended === extended && held.link === link)
      return;
    const pen = { fg, bg, extended, link };
    if (consistent(pen)) {
      if (held?.link !== link) draft.write(linkTo(link));
      draft.write(sgr(pen));
    } else toInconsistent(pen);
    held = pen;
  }
  return {
    to: ({ fg, bg, extended, link }) => set(fg, bg, extended, link),
    toCell(line, x) {
      const bg = background(line, x);
      const own = bg & hasExtended ? line._extendedAttrs[x] : undefined;
      set(
        normal(foreground(line, x)),
        normal(bg),
        own ? normalExtended(own._ext) : 0,
        own?._urlId ?? 0,
      );
    },
    toErased(bg) {
      const color = normal(bg);
      if (held === null || ((held.bg ^ color) & 0x3ffffff) !== 0) set(0, color, 0, 0);
    },
    plain: () => set(0, 0, 0, 0),
    holds(pen) {
      held = pen;
    },
    get colored() {
      return held === null || (held.bg & colorMode) !== 0;
    },
    linkTo,
    savedLost: () => lost,
    cursorSaved() {
      lost = false;
    },
  };
}
