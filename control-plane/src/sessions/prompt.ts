import { createHash } from 'node:crypto';
import { plainText, type ContentBlock } from '@berth/contract';

const titleMax = 60;

/** The prompt's first line that says something, cut at a word. */
export function titleOf(prompt: readonly ContentBlock[] | undefined): string {
  const line = plainText(prompt ?? [])
    .split('\n')
    // eslint-disable-next-line no-control-regex -- a title is one line without control characters
    .map((text) => text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim())
    .find((text) => text !== '');
  if (line === undefined) return 'New session';
  if (line.length <= titleMax) return line;
  // Cut between characters as a person sees them, not inside one.
  let head = '';
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (head.length + segment.length > titleMax) break;
    head += segment;
  }
  const space = head.lastIndexOf(' ');
  return `${(space > titleMax / 2 ? head.slice(0, space) : head).trimEnd()}…`;
}

/** Same prompt, same hash: tells a repeat from another prompt under the same id. */
export const hashOf = (prompt: readonly ContentBlock[]): Buffer =>
  createHash('sha256').update(JSON.stringify(prompt)).digest();
