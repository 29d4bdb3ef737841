/** Time is a port: only this file reads the system's. Milliseconds since the epoch. */
export interface Clock {
  now(): number;
}
// eslint-disable-next-line no-restricted-syntax -- the one place of the extension that reads the system's clock
export const systemClock: Clock = { now: () => Date.now() };
export const millis = (timestamp: string): number => Date.parse(timestamp);

export interface Timers {
  /** Calls back once; returns the way to call it off. */
  after(ms: number, callback: () => void): () => void;
}
export const systemTimers: Timers = {
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Lets many calls become one: at once when it was quiet, then at most every `everyMs`. */
export function paced(
  timers: Timers,
  everyMs: number,
  run: () => void,
): { wanted(): void; stop(): void } {
  let callOff: (() => void) | null = null;
  let again = false;
  const arm = (): void => {
    callOff = timers.after(everyMs, () => {
      callOff = null;
      if (!again) return;
      again = false;
      arm();
      run();
    });
  };
  return {
    wanted() {
      if (callOff !== null) {
        again = true;
        return;
      }
      arm();
      run();
    },
    stop() {
      callOff?.();
      callOff = null;
      again = false;
    },
  };
}
