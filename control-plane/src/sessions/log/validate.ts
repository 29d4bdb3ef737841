import { limits } from './limits.ts';

const kindPattern = /^[a-z][a-z_-]*(\.[a-z_-]+)*$/;
export const isKind = (kind: string): boolean => kind.length <= 64 && kindPattern.test(kind);

/**
 * Cheap enough for every event: the text of an object, without a raw NUL (no Postgres text holds one; an escaped \u0000 is fine in `json`), and not
 * nested deeper than Postgres' parser goes: it says 54001 where JSON.parse still takes 50,000 levels. Whether it is JSON at all Postgres decides (22P02).
 */
export const isPayload = (text: string): boolean =>
  text.startsWith('{') && !text.includes('\0') && withinDepth(text, limits.jsonDepth);

export function withinDepth(text: string, depthMax: number): boolean {
  if (text.length <= depthMax) return true; // most events are shorter than the depth that they may have
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > depthMax) return false;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return true;
}

/** The raw line goes to a text column: it may not hold a raw NUL, and a JSON line never needs one. */
export const storableRaw = (raw: string): string => raw.replaceAll('\0', '\\u0000');
