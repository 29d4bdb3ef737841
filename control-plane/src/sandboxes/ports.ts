import type { Sandbox, SandboxSpec } from './driver.ts';

/** What the reconciler reads: intent, which stands in Postgres before anything is done. Implemented by `sessions`. */
export interface SandboxIntents {
  /** All sessions whose sandbox is not known to be gone. */
  list(): Promise<SandboxIntent[]>;
  get(sessionId: string): Promise<SandboxIntent | null>;
  /** All that is needed to make it. Installs the harness when it is missing, telling how far it is. Throws with one sentence for a person. */
  spec(
    intent: SandboxIntent,
    progress: (report: PhaseReport) => Promise<void>,
    signal: AbortSignal,
  ): Promise<SandboxSpec>;
}
export interface SandboxIntent {
  readonly sessionId: string;
  readonly desired: 'running' | 'suspended' | 'removed';
  readonly generation: number;
  /** It was told that it is being put to sleep, and not yet that it sleeps: what its agent says meanwhile counts for nothing. */
  readonly suspending?: boolean;
}

/** What the reconciler tells; `sessions` writes it into the log and the row. */
export interface SandboxReports {
  phase(sessionId: string, report: PhaseReport): Promise<void>;
  notice(sessionId: string, code: string, text: string): Promise<void>;
  /** It runs and its door is open: bind the runner to it. Repeated whenever the reconciler looked and found it running. */
  running(sandbox: Sandbox): Promise<void>;
  /** Before `suspend`: let the agent stop in order (limited by the signal). */
  quiesce(sessionId: string, signal: AbortSignal): Promise<void>;
  /** Nothing is left of it. */
  removed(sessionId: string): Promise<void>;
}
export interface PhaseReport {
  readonly phase:
    | 'installing'
    | 'creating'
    | 'starting'
    | 'suspending'
    | 'suspended'
    | 'waking'
    | 'failed'
    | 'lost'
    | 'removed';
  readonly detail?: string;
  readonly reason?: string;
  readonly progress?: { done: number; total: number; unit: string };
  readonly logs?: readonly string[];
  readonly isolated?: boolean;
}

/** The reconciler's door. */
export interface Reconciler {
  /** Intent changed; carries no data, never waits. */
  hint(sessionId: string): void;
  /** The running sandbox as last seen. */
  current(sessionId: string): Sandbox | undefined;
  run(signal: AbortSignal): Promise<void>;
}
