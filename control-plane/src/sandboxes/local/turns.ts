/** One thing at a time for each name, in the order of asking. */
export function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return {
    take<T>(name: string, work: () => Promise<T>): Promise<T> {
      const before = last.get(name) ?? Promise.resolve();
      const mine = before.then(work, work);
      // Its fault is told to the caller; the next one only waits for its end.
      const settled: Promise<unknown> = mine
        .catch(() => undefined)
        .then(() => {
          if (last.get(name) === settled) last.delete(name);
        });
      last.set(name, settled);
      return mine;
    },
  };
}
export type Turns = ReturnType<typeof createTurns>;
