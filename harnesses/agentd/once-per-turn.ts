/**
 * Does the work at once, and again at the end of this turn if it was asked for meanwhile. The echo of a lone key waits for nothing; of a flood,
 * all that came in one turn is taken together.
 */
export function oncePerTurn(
  work: () => void,
  /** When the turn ends; a longer wait gathers more. `busy`: how many turns before this one had more work. */
  atEnd: (end: () => void, busy: number) => unknown = (end) => setImmediate(end),
): () => void {
  let state: 'rested' | 'done' | 'again' = 'rested';
  let busy = 0;
  const run = (): void => {
    state = 'done';
    atEnd(end, busy);
    work();
  };
  const end = (): void => {
    if (state === 'again') {
      busy++;
      run();
      return;
    }
    busy = 0;
    state = 'rested';
  };
  return () => {
    if (state === 'rested') run();
    else state = 'again';
  };
}
