import type { EgressPolicy } from './policy.ts';

/** Between the control plane and the proxy process, over Node's IPC channel. */
export type ToProxy =
  | { op: 'start'; socketPath: string; trusted: string }
  | { op: 'policy'; policy: EgressPolicy }
  | { op: 'forget'; sessionId: string };
export type FromProxy =
  { op: 'listening' } | { op: 'refused'; detail: string } | { op: 'egress'; record: EgressRecord };

/** One connection, written when it ended. Never a path, a header or a byte of content. */
export interface EgressRecord {
  readonly sessionId: string;
  readonly teamId: string;
  readonly at: number;
  readonly host: string;
  readonly port: number;
  readonly outcome: 'tunnelled' | 'denied' | 'failed';
  readonly reason: string;
  readonly address?: string;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly ms: number;
}
