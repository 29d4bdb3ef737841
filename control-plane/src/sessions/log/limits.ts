/** Every limit of the log, with what happens there. */
export const limits = {
  /** A group starts at once, and at most this often. */
  windowMs: 5,
  /** Taken from one session for one group; the rest waits for the next. */
  unitsPerSession: 200,
  /** A group is closed at either of these. */
  groupEvents: 4_000,
  groupBytes: 4 * 1024 * 1024,
  /** Deltas of one message merge while they wait, up to this many characters. */
  mergedTextLength: 16_384,
  /** Above this `full` says so, and the links stop reading until it fell below the low-water mark. */
  highWaterBytes: 64 * 1024 * 1024,
  lowWaterBytes: 32 * 1024 * 1024,
  /** A group is repeated, with the same batch numbers, for this long; then its sessions are dropped and their runners send again. */
  retryForMs: 300_000,
  retryFirstMs: 5,
  retryMaxMs: 500,
  /** A statement that got no answer for this long counts as a broken connection. */
  statementMs: 20_000,
  /** Nesting of a payload that Postgres still parses (it says 54001 above); deeper ones become an `error` event. */
  jsonDepth: 512,
  /** Rows of one replay page, and of one statement of the sweep. */
  pageRows: 1_000,
  sweepRows: 5_000,
  /** A reader in replay keeps this much of what is live meanwhile; above it the table is read once more. */
  replayBufferBytes: 1024 * 1024,
  /** A feed whose page could not be read tries again after this. */
  feedRetryMs: 250,
} as const;
