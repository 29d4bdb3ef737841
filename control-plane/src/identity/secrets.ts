import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
// Bytes from here on would make the first letters of the alphabet likelier than the others.
const fairBytes = 256 - (256 % alphabet.length);

/** Random text of 0-9A-Za-z, 5.95 bits each: 32 of them are a secret, which needs no slow hash. */
export function randomText(length: number, random: (size: number) => Uint8Array = randomBytes) {
  let text = '';
  while (text.length < length) {
    for (const byte of random(length)) {
      if (byte < fairBytes && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Both are SHA-256, so the lengths say nothing. */
export const sameHash = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);

export const secretLength = 32;
const tokenForm = /^berth_([0-9A-Za-z]{10})_([0-9A-Za-z]{32})$/;

export const formatToken = (id: string, secret: string): string => `berth_${id}_${secret}`;
/** Null: not a token of ours. */
export function parseToken(text: string): { id: string; secret: string } | null {
  const match = tokenForm.exec(text);
  return match ? { id: match[1] ?? '', secret: match[2] ?? '' } : null;
}
