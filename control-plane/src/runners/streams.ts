import type { StreamPurpose } from '@berth/contract/link';

/**
 * A byte stream to one session's runner, on a WebSocket of its own, so that a flood here never delays events. Implemented by `runners`.
 * Back-pressure: `send` resolves when the bytes may be followed by more; reading is pulled by iterating.
 */
export interface RunnerStream extends AsyncDisposable {
  send(bytes: Uint8Array): Promise<void>;
  end(): void;
  /** Meta frames, then bytes, until the other side ended. Throws Problem when it failed. */
  frames(): AsyncIterable<
    { kind: 'meta'; meta: Record<string, unknown> } | { kind: 'bytes'; bytes: Uint8Array }
  >;
}
export interface RunnerStreams {
  /** Throws Problem `runner-unreachable` when the runner does not come within the deadline. */
  open(sessionId: string, purpose: StreamPurpose, signal: AbortSignal): Promise<RunnerStream>;
}
