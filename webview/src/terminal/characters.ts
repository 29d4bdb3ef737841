/** Bytes of a UTF-8 character by its first byte; 0 for one that starts none. */
const lengthOf = (first: number): number => {
  if (first >= 0xf8) return 0;
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 0;
};
function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

export interface Characters {
  /** What can be drawn now; a character that is not complete waits for its rest. */
  take(bytes: Uint8Array): Uint8Array;
  /** A new screen: what waited belongs to the old one. */
  reset(): void;
}
/**
 * xterm.js 6.0.0 takes a continuation byte 0x80 at the end of a piece for one that is missing and swallows the character after it (a dash that
 * a frame cut in two), so it never gets a piece that ends within a character.
 */
export function wholeCharacters(): Characters {
  let begun = new Uint8Array(0);
  return {
    take(given) {
      let bytes = given;
      if (begun.length > 0) {
        bytes = new Uint8Array(begun.length + given.length);
        bytes.set(begun);
        bytes.set(given, begun.length);
      }
      const whole = bytes.length - incompleteTail(bytes);
      begun = bytes.slice(whole);
      return bytes.subarray(0, whole);
    },
    reset() {
      begun = new Uint8Array(0);
    },
  };
}
