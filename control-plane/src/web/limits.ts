/** What happens at each limit stands beside it. */
export const limits = {
  /** Failed sign-ins of one address; above: 429 until the window has passed. A good credential always passes. */
  failedSignIns: 20,
  failedSignInsWindowMs: 60_000,
  /** A second request with an idempotency key waits this long for the first one; then 409. A first one older than this counts as dead. */
  idempotencyWaitMs: 60_000,
  idempotencyLookMs: 100,
  idempotencyLifeMs: 86_400_000,
  sweepEveryMs: 600_000,
  preferWaitMaxSeconds: 600,
  sseCommentMs: 15_000,
  /** Unsent bytes of one reader; above: it is told to resync and dropped. */
  readerBytesMax: 1024 * 1024,
  /** Below this a replay goes on. */
  readerBytesLow: 256 * 1024,
  socketFrameBytes: 64 * 1024,
  terminalFrameBytes: 1024 * 1024,
  pingMs: 10_000,
  /** A socket that said nothing for this long is closed. */
  silenceMs: 25_000,
  /** Sockets and streams ask again whether their holder may still be there. */
  recheckMs: 60_000,
  subscriptionsPerSocket: 256,
  /** Frames of one socket that wait to be handled; above: the socket is not read on. */
  pendingFrames: 64,
  /** Changes are gathered this long before sessions are read again. */
  coalesceMs: 60,
  readsAtOnce: 4,
  /** Sockets altogether; above: 1013. */
  sockets: 2_000,
  headersTimeoutMs: 20_000,
} as const;
