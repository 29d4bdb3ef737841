import type { Terminal } from '@xterm/headless';
import { incompleteTail } from './characters.ts';
import { feed } from './feed.ts';
import { coreOf } from './internals.ts';
import { createUnfinished } from './unfinished.ts';

/** Reads bytes into a terminal and knows, at any offset, which of them it has begun and not ended. */
export interface Reader {
  /** Returns what a handler threw. */
  read(bytes: Uint8Array): unknown;
  /** Bytes of the unfinished sequence or character: a viewer gets them after the screen. */
  unfinished(): Uint8Array;
}
/** A longer escape sequence is ignored to its end. */
const sequenceBytes = 64 * 1024;
const none = new Uint8Array(0);

export function createReader(terminal: Terminal): Reader {
  const { _parser: parser } = coreOf(terminal)._inputHandler;
  const unfinished = createUnfinished(sequenceBytes);
  let begun: Uint8Array = none;
  return {
    read(given) {
      const bytes = begun.length > 0 ? Buffer.concat([begun, given]) : given;
      const whole = bytes.length - incompleteTail(bytes);
      begun = bytes.subarray(whole);
      if (whole === 0) return undefined;
      const now = bytes.subarray(0, whole);
      const fault = feed(terminal, now);
      const ignore = unfinished.follow(now, parser.currentState);
      if (ignore) feed(terminal, ignore);
      return fault;
    },
    unfinished: () => Buffer.concat([unfinished.bytes(parser.currentState), begun]),
  };
}
