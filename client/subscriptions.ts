import type { Event, Problem } from '@berth/contract';
import type { UnknownProblem } from './errors.ts';

/** Ends a subscription; may be called twice. */
export type Stop = () => void;

export interface SessionHandlers {
  /** In order, none missing, none twice, over all reconnects. Kinds that this build does not know are left out. */
  events(events: readonly Event[]): void;
  /** All up to `seq` was given; what follows happens now. Again after each reconnect. */
  live?(seq: number): void;
  /** This reader was too slow; it is being caught up. */
  resync?(): void;
  /** What the server holds, at each (re)subscription. */
  opened?(range: { firstSeq: number | undefined; lastSeq: number | undefined }): void;
  /** The session cannot be read: it is unknown, or of another team. */
  problem?(problem: Problem | UnknownProblem): void;
}
