/** Every limit of the runner, and what happens there. */
export const limits = {
  /** A segment of the journal is closed above this and dropped when all of it is acked. */
  segmentBytes: 4 * 1024 * 1024,
  /** Unacked items kept in memory; older ones are read from disk again. */
  journalCacheBytes: 2 * 1024 * 1024,
  /** More than this not yet on disk: the agent's output waits. */
  journalPendingBytes: 4 * 1024 * 1024,
  /** A full disk is tried again after this. */
  diskRetryMs: 250,
  /** One `events` frame. */
  batchBytes: 256 * 1024,
  batchItems: 500,
  /** Sent and not acked: the next batch waits. */
  inFlightItems: 5000,
  /** Bytes in the link's socket: batches wait. */
  linkBufferBytes: 8 * 1024 * 1024,
  /** A control plane that does not answer: the only one, or one of several. */
  dialOneMs: 10_000,
  dialOneOfManyMs: 2000,
  dialFirstMs: 50,
  dialMostMs: 1000,
  /** The control plane speaks another version. */
  dialForeignMs: 15_000,
  /** After so many dials in vain (a quarter of an hour) nobody is expected soon. */
  dialPatience: 1000,
  dialOrphanMs: 15_000,
  pingMs: 5000,
  /** No frame for this long: the link is dialled anew. */
  silenceMs: 20_000,
  /** A text event carries at most this many UTF-16 units; longer text becomes several. */
  textPiece: 64 * 1024,
  /** A message or thought above this is ended, and what follows is another one: whoever shows or stores a text holds all of it. */
  textMost: 256 * 1024,
  /** Output and diffs of one tool event: cut, with a mark; the raw line has all of it. */
  toolText: 1024 * 1024,
  /** One line of the agent: beyond, the agent is broken and killed. */
  agentLineBytes: 32 * 1024 * 1024,
  /** A raw line longer than this is not kept beside its event. */
  rawLine: 4 * 1024 * 1024,
  stderrLines: 200,
  /** Deaths within the window before the session fails. */
  deaths: 3,
  deathWindowMs: 60_000,
  /** Starts in a row without an answer before the session fails. */
  silences: 2,
  /** A start that takes longer than this is said to. */
  slowStartMs: 8_000,
  /** Before the next try after a second death. */
  respawnMs: 500,
  goOns: 2,
  /** What was typed in the terminal at one time, as items. */
  typedBytes: 8 * 1024 * 1024,
  /** A load that failed for another reason than a lost conversation is asked again after this. */
  loadAgainMs: 500,
  /** The conversation that a new agent session is told, from its end. */
  seedChars: 200_000,
  /** Text outside a turn ends after this silence. */
  quietMs: 2000,
  changesEveryMs: 3000,
  runMs: 120_000,
  gitMs: 300_000,
  cloneMs: 1_800_000,
  /** Connections in a row that end after our hello without a word: an agentd that is too old to say that it does not understand. */
  hungUpMax: 10,
  quiesceMs: 3000,
  /** Model traffic waits this long for a control plane that restarts. */
  gatewayWaitMs: 30_000,
  gatewayRetryMs: 100,
  /** Terminal output kept for viewers that come back. */
  ringBytes: 1024 * 1024,
  /** Output that the screen has not parsed: the program waits above, goes on below. */
  unparsedHigh: 256 * 1024,
  unparsedLow: 64 * 1024,
  /**
   * What the fastest viewer has not consumed: the program waits above, goes on below, so that a viewer that reads sees every byte. One that needs longer
   * than this for the difference is waited for no more until it has caught up: it gets screens instead of what it missed.
   */
  viewerLagHigh: 512 * 1024,
  viewerLagLow: 256 * 1024,
  viewerWaitMs: 1000,
  viewerChunk: 64 * 1024,
  viewerBufferBytes: 512 * 1024,
  terminals: 32,
  /** As many lines as a viewer keeps, so that a resize wraps the same lines anew on both sides. */
  scrollback: 1000,
  /** Scrollback in a viewer's first screen. */
  screenScrollback: 1000,
  logBytes: 8 * 1024 * 1024,
  streamDialMs: 10_000,
  /** A stream whose control plane was not heard for more beats than this is ended: 25 s at the most. */
  streamBeat: { pingMs: 5000, beatsMissed: 4 },
} as const;
