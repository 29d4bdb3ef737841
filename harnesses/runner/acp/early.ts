/** What comes before everything stands waits, and then comes in its order. */
export interface Early {
  pass(act: () => void): void;
  /** The bytes live only until the call returns. */
  bytes(bytes: Buffer, take: (bytes: Buffer) => void): void;
  open(): void;
}
export function createEarly(): Early {
  let waiting: (() => void)[] | null = [];
  return {
    pass(act) {
      if (waiting) waiting.push(act);
      else act();
    },
    bytes(bytes, take) {
      if (!waiting) {
        take(bytes);
        return;
      }
      const own = Buffer.from(bytes);
      waiting.push(() => take(own));
    },
    open() {
      const acts = waiting ?? [];
      waiting = null;
      for (const act of acts) act();
    },
  };
}
