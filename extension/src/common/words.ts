/** Texts that must fit one line of a tree or a terminal. */

const segmenter = new Intl.Segmenter();

/** One line of at most `max` characters as a person counts them, its start kept. */
export function cut(text: string, max: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (line.length <= max) return line;
  const letters = Array.from(segmenter.segment(line), ({ segment }) => segment);
  if (letters.length <= max) return line;
  return `${letters
    .slice(0, max - 1)
    .join('')
    .trimEnd()}…`;
}

/** Characters that would draw something else than themselves in a tree or a terminal: control codes, and bidirectional overrides. */
export const plain = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- control characters are what this takes out
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, ' ');
