/** Does one small piece of work; false when nothing is left. */
export type Work = () => boolean;

/**
 * Shares this thread among the screens: piece by piece in turn, for `budgetMs`, then everything else comes first. A flood in one terminal thus
 * delays others, and the events of all sessions, by one budget at most.
 */
export interface Turns {
  /** Known until it says that nothing is left. */
  add(work: Work): void;
}
export function createTurns(options: {
  budgetMs: number;
  now: () => number;
  later: (turn: () => void) => void;
}): Turns {
  const { budgetMs, now, later } = options;
  const waiting = new Set<Work>();
  let due = false;
  function turn(): void {
    due = false;
    const end = now() + budgetMs;
    do {
      // The first has waited longest: it works, and goes to the end.
      const [work] = waiting;
      if (!work) return;
      waiting.delete(work);
      if (work()) waiting.add(work);
    } while (now() < end);
    soon();
  }
  function soon(): void {
    if (due || waiting.size === 0) return;
    due = true;
    later(turn);
  }
  return {
    add(work) {
      waiting.add(work);
      soon();
    },
  };
}
