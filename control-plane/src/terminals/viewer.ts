/** One attached viewer, as `web` gives it: bytes both ways with back-pressure. */
export interface TerminalViewer {
  /** False: slow; wait for `drained` before sending more. */
  send(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
  close(code: number, reason: string): void;
  frames(): AsyncIterable<Uint8Array>;
}
