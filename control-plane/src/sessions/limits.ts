/** Limits of sessions, with what happens there. Those of the log: log/limits.ts. */
export const sessionLimits = {
  /** Tool output above this goes to a blob that its event names. */
  outputBytes: 32 * 1024,
  /** Turns that wait in one session; more are refused. */
  queuedTurns: 100,
  /** Items of runners that wait for their turn; above it the links stop reading until half of it is left. */
  inboxItems: 20_000,
  /** Time passes: who went silent, whose runner is missed. */
  tickMs: 5_000,
  /** Idle sessions to suspend; superseded deltas to sweep; sessions whose runner never came. */
  slowTickMs: 30_000,
  /** The end of each watched log is asked for, in case a hint was lost. */
  pollMs: 2_000,
  /** Progress of an installation is one event in this time. */
  progressMs: 250,
  /** The sums of a session follow its `usage` events this much later, so that many calls are counted at once. */
  usageMs: 50,
  /** A request whose event is not committed in this time is answered `not-ready`; it may be made again. */
  commitMs: 10_000,
  /** Closing waits this long for work under way. */
  closeMs: 5_000,
} as const;
