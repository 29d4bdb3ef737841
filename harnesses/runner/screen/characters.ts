/** Bytes of a UTF-8 character by its first byte; 0 for one that starts none. */
const lengthOf = (first: number): number => {
  if (first >= 0xf8) return 0;
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 0;
};

/**
 * How many bytes at the end begin a character that is not complete. xterm.js 6.0.0 takes a continuation byte 0x80 at the end of a piece for
 * one that is missing and swallows the character after it, so it never gets a piece that ends within a character.
 */
export function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}
