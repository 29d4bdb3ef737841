/**
 * The bytes of a sequence that the parser has begun and not ended. A viewer gets them after the screen, so that the bytes that
 * follow mean the same to it.
 */
export interface Unfinished {
  /**
   * These bytes, whole characters, were parsed; `state` is the parser's state after them. Returns bytes that the same parser must read now: a
   * sequence grew past the limit and is given up.
   */
  follow(bytes: Uint8Array, state: number): Uint8Array | null;
  bytes(state: number): Uint8Array;
}

const escape = 0x1b;
/** DCS, SOS, CSI, OSC, PM and APC as one character: 0xC2, then this. */
const introducers = new Set([0x90, 0x98, 0x9b, 0x9d, 0x9e, 0x9f]);
/** States 1 to 6: in an escape or control sequence. */
const lastControlState = 6;
const ignoredString = 7;
/** Puts a parser into a state where it ignores the rest of the same kind of sequence, for each state. */
const ignoring = (state: number): string => {
  if (state <= 2) return '\u001b!!!!';
  if (state <= lastControlState) return '\u001b[0<';
  if (state === ignoredString) return '\u001bX';
  return state === 8 ? '\u001b]x' : '\u001bP0<';
};
const none = new Uint8Array(0);

/** `limitBytes`: a longer sequence is ignored to its end, by the screen and by every viewer that attaches meanwhile. */
export function createUnfinished(limitBytes: number): Unfinished {
  let kept: Uint8Array[] = [];
  let size = 0;
  const keep = (bytes: Uint8Array): void => {
    kept.push(bytes);
    size += bytes.length;
  };
  const start = (bytes: Uint8Array): void => {
    kept = [];
    size = 0;
    keep(bytes);
  };
  return {
    follow(bytes, state) {
      if (state === 0) {
        kept = [];
        size = 0;
        return null;
      }
      // What such a string holds means nothing.
      if (state === ignoredString) {
        start(Buffer.from(ignoring(state)));
        return null;
      }
      const at = lastIntroducer(bytes);
      if (at >= 0) start(bytes.subarray(at));
      else keep(bytes);
      if (size <= limitBytes) return null;
      const ignore = Buffer.from(ignoring(state));
      start(ignore);
      return Buffer.concat([Uint8Array.of(0x18), ignore]);
    },
    bytes(state) {
      if (state === 0) return none;
      const all = Buffer.concat(kept);
      // In a control sequence, control characters took effect when they came.
      return state <= lastControlState ? all.filter((byte, at) => at === 0 || byte >= 0x20) : all;
    },
  };
}

function lastIntroducer(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at >= 0; at--) {
    const byte = bytes[at];
    if (byte === escape) return at;
    if (byte === 0xc2 && introducers.has(bytes[at + 1] ?? 0)) return at;
  }
  return -1;
}
