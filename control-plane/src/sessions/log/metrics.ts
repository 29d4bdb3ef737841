/** What the log writer counts, for whoever publishes it; every call is cheap. */
export interface LogMetrics {
  group(sessions: number, events: number, commitMs: number): void;
  /** From queued to committed, of the oldest event of a group. */
  lag(ms: number): void;
  retry(fault: string): void;
}
export const noMetrics: LogMetrics = {
  group: () => undefined,
  lag: () => undefined,
  retry: () => undefined,
};
