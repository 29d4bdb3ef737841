/** The clock is a port: only this file reads the system's. Times are milliseconds since the epoch. */
export interface Clock {
  now(): number;
}
// eslint-disable-next-line no-restricted-syntax -- the one place that reads the system's clock
export const systemClock: Clock = { now: () => Date.now() };
