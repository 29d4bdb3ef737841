/**
 * What makes sandboxes. Implemented by `local` (and later `kubernetes`); `driver.conformance.ts` is the suite that each must pass.
 * Drivers know nothing of sessions but their id: intent and bookkeeping are the reconciler's.
 */
export interface SandboxSpec {
  readonly sessionId: string;
  /** A higher generation replaces the sandbox (its processes, not its disk). */
  readonly generation: number;
  /** What every process inside sees. Never holds a credential. */
  readonly env: Readonly<Record<string, string>>;
  /** Host folders of installed harnesses, bound read-only at `/opt/agents/<name>`. */
  readonly agents: readonly { name: string; hostPath: string }[];
  readonly limits: SandboxLimits;
}
/** Absent = no limit asked for. What the system cannot enforce comes back in `Sandbox.notes`. */
export interface SandboxLimits {
  readonly memoryBytes?: number;
  readonly pids?: number;
  readonly cpus?: number;
  readonly diskBytes?: number;
}
export type SandboxState = 'starting' | 'running' | 'suspended' | 'failed' | 'gone';
export interface Sandbox {
  readonly sessionId: string;
  readonly generation: number;
  /** Another one each time that its processes are started: within a generation it may sleep, wake, die and be started again. */
  readonly instance?: string;
  readonly state: SandboxState;
  /** Why it is `failed` or `gone`, in one sentence: "killed: out of memory". */
  readonly reason?: string;
  /** The last lines that its main process wrote, when it failed. */
  readonly logs?: readonly string[];
  /** What a person should know: "no memory limit: cgroups are not writable". */
  readonly notes: readonly string[];
  readonly isolated: boolean;
  /** The harnesses that it was started with: it keeps them, whatever is installed since. */
  readonly agents?: SandboxSpec['agents'];
  /** Host side of /run/berth and the ids that own what is inside; only while `running` or `starting`. */
  readonly door?: {
    socketDir: string;
    hostUid: number;
    hostGid: number;
    /** Where things are inside, for a driver that knows it before the sandbox runs. */
    place?: { workspace: string; home: string; node: string };
  };
}
export interface DriverHealth {
  readonly isolated: boolean;
  /** Set when no sandbox can be made: one sentence with the remedy. */
  readonly refusal?: string;
  readonly detail?: string;
}
/** Every call may be repeated: the second does nothing. All reject only for faults of the machine; a sandbox that fails is a state. */
export interface SandboxDriver {
  readonly name: string;
  /** Looks once, at start: can it make sandboxes here? `progress` tells of a download. */
  probe(signal: AbortSignal, progress?: (text: string) => void): Promise<DriverHealth>;
  /** Running, with this generation. Wakes a suspended one. */
  ensure(
    spec: SandboxSpec,
    signal: AbortSignal,
    /** Called when its door is made and nothing inside runs yet, so that somebody stands behind it when it is knocked at. May never be called. */
    early?: (sandbox: Sandbox) => void,
  ): Promise<Sandbox>;
  /** No process left, disk kept. */
  suspend(sessionId: string, signal: AbortSignal): Promise<Sandbox>;
  /** Nothing left: no process, no disk, no mount, no cgroup. */
  remove(sessionId: string, signal: AbortSignal): Promise<void>;
  get(sessionId: string, signal: AbortSignal): Promise<Sandbox | null>;
  /** Everything that exists, orphans included. */
  list(signal: AbortSignal): Promise<Sandbox[]>;
  /** Changes that nobody asked for: a death, an out-of-memory kill. Ends with the signal. */
  watch(signal: AbortSignal): AsyncIterable<Sandbox>;
  logs(sessionId: string, tail: number): Promise<string[]>;
}
