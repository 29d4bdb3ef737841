import type { Line } from './internals.ts';

/** The words of a cell, as @xterm/headless 6.0.0 packs them. */
export const colorMode = 0x3000000;
const flagBits = 0xfc000000;
const contentBits = 0x3fffff;
const combinedBit = 0x200000;
/** Of the foreground word. */
export const underlined = 0x10000000;
/** Of the background word. */
export const hasExtended = 0x10000000;
export const isProtected = 0x20000000;

/** A foreground or background word without the bits that nothing reads: old RGB bits under a palette colour. */
export function normal(word: number): number {
  const mode = word & colorMode;
  const value = mode === 0 ? 0 : mode === colorMode ? word & 0xffffff : word & 0xff;
  return ((word & flagBits) | mode | value) >>> 0;
}
/** Underline style and colour. */
export const normalExtended = (word: number): number =>
  ((word & 0x1c000000) | normal(word & 0x3ffffff)) >>> 0;
export const underlineStyle = (extended: number): number => (extended >>> 26) & 7;

export const content = (line: Line, x: number): number => line._data[x * 3] ?? 0;
export const foreground = (line: Line, x: number): number => line._data[x * 3 + 1] ?? 0;
export const background = (line: Line, x: number): number => line._data[x * 3 + 2] ?? 0;
/** 0 for the second half of a wide character, and for a zero-width character alone in its cell. */
export const width = (line: Line, x: number): number => content(line, x) >>> 22;
export const hasText = (line: Line, x: number): boolean => (content(line, x) & contentBits) !== 0;
export const text = (line: Line, x: number): string => {
  const word = content(line, x);
  return word & combinedBit ? (line._combined[x] ?? '') : String.fromCodePoint(word & 0x1fffff);
};

/** UTF-16 units of a character with its combining marks; 0 when it has none. */
export const combinedLength = (line: Line, x: number): number =>
  content(line, x) & combinedBit ? (line._combined[x]?.length ?? 0) : 0;

/**
 * `blank`: never touched. `erased`: no text, a background colour and nothing else, as erasing leaves it. `inked`: no text, but more of a pen than
 * erasing leaves (half of an overwritten wide character). `text`: the rest.
 */
export type CellKind = 'blank' | 'erased' | 'inked' | 'text';
export function kind(line: Line, x: number): CellKind {
  if (hasText(line, x)) return 'text';
  const bg = background(line, x);
  if (foreground(line, x) !== 0) return 'inked';
  if (bg === 0) return 'blank';
  return bg & flagBits ? 'inked' : 'erased';
}
