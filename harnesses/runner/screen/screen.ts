/** A screen at one moment: `bytes` draw it on an empty terminal of this size, unfinished sequences included. */
export interface ScreenSnapshot {
  cols: number;
  rows: number;
  bytes: Uint8Array;
}

/**
 * The state of one terminal, kept by the runner. Calls take effect in the order in which they are made: a snapshot shows exactly what was fed and
 * resized before it was asked for, however far the parser lags behind.
 */
export interface Screen {
  /** The bytes are taken over: the caller does not change them afterwards. */
  feed(bytes: Uint8Array): void;
  resize(cols: number, rows: number): void;
  snapshot(options: { scrollback: number }): Promise<ScreenSnapshot>;
  text(): Promise<{ cols: number; rows: number; text: string }>;
  /** Bytes parsed since it was made; what was fed beyond that is still held. */
  readonly parsed: number;
  onParsed(callback: () => void): void;
  /** Answers to the program's questions (DA, DSR, …), to be given to it as input. */
  onReply(callback: (bytes: Uint8Array) => void): void;
  dispose(): void;
}
