import type { Terminal } from '@xterm/headless';
import { coreOf } from './internals.ts';

/**
 * Parses at once, past xterm's own write queue: that one drops data above 50 MB, stops for ever when a handler throws, and does not say
 * how far it is. Returns what a handler threw; the rest of these bytes is lost then, the next are parsed as text.
 */
export function feed(terminal: Terminal, bytes: Uint8Array): unknown {
  const handler = coreOf(terminal)._inputHandler;
  try {
    handler.parse(bytes);
    return undefined;
  } catch (error) {
    handler._parser.reset();
    return error ?? new Error('unknown');
  }
}
