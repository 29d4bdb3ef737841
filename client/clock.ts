/** Time and timers are ports, so that tests own them. */
export interface Clock {
  now(): number;
}
export interface Timers {
  /** Calls back once; returns the way to call it off. */
  after(ms: number, callback: () => void): () => void;
}
// eslint-disable-next-line no-restricted-syntax -- the one place of this package that reads the system's clock
export const systemClock: Clock = { now: () => Date.now() };
export const systemTimers: Timers = {
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
