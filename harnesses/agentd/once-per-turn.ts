/**
 * Does the work at once, and again at the end of this turn of the event loop if it was asked for meanwhile. The echo of a lone key waits for
 * nothing; of a flood, all that came in one turn is taken together.
 */
export function oncePerTurn(
  work: () => void,
  /** When the turn ends; a longer wait gathers more. */
  atEnd: (end: () => void) => unknown = setImmediate,
): () => void {
  let state: 'rested' | 'done' | 'again' = 'rested';
  const run = (): void => {
    state = 'done';
    atEnd(end);
    work();
  };
  const end = (): void => {
    if (state === 'again') run();
    else state = 'rested';
  };
  return () => {
    if (state === 'rested') run();
    else state = 'again';
  };
}
