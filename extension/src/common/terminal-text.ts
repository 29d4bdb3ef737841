import { cut, plain } from './words.ts';

const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;
const red = (text: string) => `\u001b[31m${text}\u001b[39m`;

/** One dim line beginning `[berth]`, cut to the width so that it never wraps. */
export function berthLine(text: string, cols: number): string {
  return dim(cut(`[berth] ${plain(text)}`, Math.max(cols - 1, 8)));
}
/** The one line that is not dim: nothing that is typed goes anywhere. */
export function notAttachedLine(text: string, cols: number): string {
  const rest = cut(plain(text), Math.max(cols - 24, 8));
  return `${red('[berth] not attached')}${dim(`: ${rest}`)}`;
}

/** An empty terminal: modes, screen, scrollback. */
export const emptyTerminal = '\u001bc\u001b[3J';

/** Bracketed by these the agent's own programs draw over the whole window; a line of ours would be inside their picture. */
const alternate = /\u001b\[\?(?:1049|1047|47)(?:;\d+)*([hl])/g; // eslint-disable-line no-control-regex -- an escape sequence is what it finds

/** Follows whether the alternate screen is on. Sequences that are cut between two pieces are put together. */
export function createScreenWatch(): {
  feed(text: string): void;
  reset(): void;
  readonly alternate: boolean;
} {
  let on = false;
  let rest = '';
  return {
    feed(text) {
      const whole = rest + text;
      for (const found of whole.matchAll(alternate)) on = found[1] === 'h';
      // Longer than any of the sequences that matter here.
      const escape = whole.lastIndexOf('\u001b');
      rest = escape >= 0 && whole.length - escape < 24 ? whole.slice(escape) : '';
    },
    reset() {
      on = false;
      rest = '';
    },
    get alternate() {
      return on;
    },
  };
}

/**
 * The end that the editor hears of; it shows every code but 0 as an error, with a button for help. An agent's screen ends because somebody left it or took
 * the conversation back, and a shell that a signal ended was closed from outside: both are no errors.
 */
export const toldExit = (kind: 'agent' | 'shell', code: number): number | undefined =>
  kind === 'agent' || code > 128 ? undefined : code;
