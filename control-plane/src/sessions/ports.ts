import type { ContentBlock } from '@berth/contract';
import type { HarnessRecord } from '@berth/contract/harness';
import type { PhaseReport, Sandbox } from '../sandboxes/index.ts';
import type {
  RunnerMethod,
  RunnerParams,
  RunnerValue,
  SessionSpec,
  SourceItem,
} from '@berth/contract/link';

/** What sessions ask of the runner's link. Implemented by `runners`. All sends are fire-and-forget and may be repeated. */
export interface RunnerPort {
  /** The runner that would serve this session is connected now. */
  connected(sessionId: string): boolean;
  /** The runner that is connected here and would serve this session. */
  runnerOf(sessionId: string): string | undefined;
  bind(spec: SessionSpec): void;
  unbind(sessionId: string, purge: boolean): void;
  turn(sessionId: string, turnId: string, prompt: readonly ContentBlock[]): void;
  cancel(sessionId: string, turnId: string): void;
  decide(sessionId: string, approvalId: string, optionId: string, note?: string): void;
  ack(sessionId: string, sourceId: string, n: number): void;
  /** Closes the link of the runner that serves this session, so that it says hello again and resends what was not acknowledged. */
  drop(sessionId: string): void;
  /** Throws Problem `runner-unreachable`, or the runner's own refusal. */
  call<M extends RunnerMethod>(
    sessionId: string,
    method: M,
    params: RunnerParams<M>,
    signal?: AbortSignal,
  ): Promise<RunnerValue<M>>;
}

/** Which process of the control plane writes which session: the one that holds the link of its runner. Implemented by `replicas`. */
export interface Seats {
  /** Nobody has taken us for dead: what we hold, we hold. */
  readonly sure: boolean;
  /** Another process holds the link of this session's runner. Costs nothing while we are alone. */
  elsewhere(sessionId: string): Promise<boolean>;
}

/** What the process that has the sandboxes tells the one that has the session's link. */
export interface Colleague {
  /** Throws Problem when it cannot be told now; the reconciler comes back to it. */
  report<K extends keyof RemoteReports>(
    sessionId: string,
    name: K,
    body: RemoteReports[K],
  ): Promise<void>;
}
export interface RemoteReports {
  phase: PhaseReport;
  running: { sandbox: Sandbox; grant: EgressGrant };
  removed: null;
}
/** Authenticates a session's connections at the egress proxy, which listens there. */
export interface EgressGrant {
  readonly token: string;
  readonly socket: string;
}

/** That a process has a runner's link, as the database knows it: another claim, of whomever, has another time or another process. */
export interface LinkClaim {
  readonly runnerId: string;
  readonly replicaId: string;
  readonly since: string;
}

/** What the link's server side tells sessions. Implemented by `sessions`. */
export interface RunnerEvents {
  /**
   * A runner connected and says what it holds; raises the epoch of each session and answers what the log has of them. Rejects when `claim` does not stand any more:
   * a hello whose process was frozen over it is of the past.
   */
  hello(
    runnerId: string,
    held: readonly {
      sessionId: string;
      sourceId: string;
      firstN?: number | undefined;
      lastN: number;
      ackedN?: number | undefined;
      generation: number;
    }[],
    claim?: LinkClaim,
  ): Promise<{
    sessions: { sessionId: string; sourceId: string; lastSourceSeq: number }[];
    purge: string[];
  }>;
  /** False: above the high-water mark; stop reading the link until `drained`. */
  events(sessionId: string, sourceId: string, items: readonly SourceItem[]): boolean;
  drained(): Promise<void>;
  accepted(sessionId: string, turnId: string): Promise<void>;
  refused(sessionId: string, turnId: string, code: string, detail: string): Promise<void>;
  disconnected(runnerId: string): Promise<void>;
  /** A runner came that speaks another version of the link. */
  foreign(runnerId: string): Promise<void>;
}

/** A harness, ready to be bound into a sandbox. Implemented by `agents`. */
export interface HarnessPort {
  /** `hostPath`: the record of this installation, which may be an older one; else of the current version. */
  record(id: string, hostPath?: string): HarnessRecord;
  /** Installed at its exact version, downloading it when it is missing. Throws with one sentence for a person. */
  prepare(
    id: string,
    progress: (done: number, total: number, unit: string, detail: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ hostPath: string }>;
}
