import { hashText } from './settle.ts';

/** Where what was typed in the terminal begins: a chunk of a replayed message, for two messages in a row may be replayed as one. */
export interface Place {
  readonly message: number;
  readonly chunk: number;
}
/** `unsure`: the history cannot be laid over what the chat knows, and what is new in it cannot be told. */
export type Typed = { kind: 'none' } | { kind: 'from'; place: Place } | { kind: 'unsure' };

/** One user message as far as it is known: its hash when it is one of ours. */
interface Unit {
  readonly hash: string | null;
  readonly place: Place;
}

/**
 * Pure. What the agent's history has beyond the messages that it was given. `delivered`: hashes of all of them, in order; the last `loose` of them did not end well, and
 * an agent may have dropped each of those. Whoever types does it behind the last of the others, so that one is looked for: at its own place behind all before it; or
 * behind whatever the agent has put in between, when none is missing; or behind what is left of them, when nothing strange is in between.
 */
export function typedSince(
  delivered: readonly string[],
  loose: number,
  messages: readonly (readonly string[])[],
): Typed {
  const known = new Set(delivered);
  const units = messages.flatMap((chunks, at) => unitsOf(chunks, at, known));
  const begin = Math.max(0, delivered.length - loose);
  let at = behind(delivered.slice(0, begin), units);
  if (at === null) return { kind: 'unsure' };
  let left = delivered.slice(begin);
  for (let next = units[at]; next !== undefined; next = units[++at]) {
    const { hash } = next;
    const found = hash === null ? -1 : left.indexOf(hash);
    if (found < 0) break;
    left = left.slice(found + 1);
  }
  const rest = units.slice(at);
  // One of ours behind something strange: is it ours, or was it typed once more?
  if (rest.some(({ hash }) => hash !== null && left.includes(hash))) return { kind: 'unsure' };
  return rest[0] === undefined ? { kind: 'none' } : { kind: 'from', place: rest[0].place };
}

/** Where the units behind the last of `delivered` begin; null when that cannot be told. */
function behind(delivered: readonly string[], units: readonly Unit[]): number | null {
  if (delivered.every((hash, at) => units[at]?.hash === hash)) return delivered.length;
  const last = delivered.at(-1);
  const wanted = delivered.filter((hash) => hash === last).length;
  const end = units.flatMap(({ hash }, at) => (hash === last ? [at] : []))[wanted - 1];
  if (end === undefined) return null;
  const before = units.slice(0, end + 1);
  const ours = before.flatMap(({ hash }) => hash ?? []);
  const whole = ours.length === delivered.length && ours.every((hash, i) => hash === delivered[i]);
  const strange = ours.length < before.length;
  return whole || (!strange && isPart(ours, delivered)) ? end + 1 : null;
}

/** All of `part` is in `list`, in its order. */
function isPart(part: readonly string[], list: readonly string[]): boolean {
  let at = 0;
  for (const item of list) if (item === part[at]) at++;
  return at === part.length;
}

/** The messages of ours that a replayed one begins with, and what is behind them as one more. */
function unitsOf(chunks: readonly string[], message: number, known: ReadonlySet<string>): Unit[] {
  const units: Unit[] = [];
  let chunk = 0;
  while (chunk < chunks.length) {
    const place = { message, chunk };
    let to = chunks.length;
    while (to > chunk && !known.has(hashText(chunks.slice(chunk, to).join('')))) to--;
    if (to === chunk) return [...units, { hash: null, place }];
    units.push({ hash: hashText(chunks.slice(chunk, to).join('')), place });
    chunk = to;
  }
  if (units.length > 0) return units;
  // No words at all: an image alone.
  const empty = hashText('');
  return [{ hash: known.has(empty) ? empty : null, place: { message, chunk: 0 } }];
}
