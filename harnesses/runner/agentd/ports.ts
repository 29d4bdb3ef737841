import type {
  AgentdReply,
  AgentdRequest,
  ExitView,
  Place,
  ProcessView,
} from '../../agentd/protocol.ts';

/** A refusal of agentd, or `agentd-gone`: the sandbox went away before it answered. */
export class DoorError extends Error {
  readonly code: string;
  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}
export interface ProcessHandlers {
  /** Each byte once, with its offset in the stream; the buffer lives until the call returns. */
  output(bytes: Buffer, offset: number): void;
  stderr?(bytes: Buffer): void;
  /** All of its output was handed out. `lost`: the sandbox ended under it. */
  exited(exit: ExitView, lost: boolean): void;
}
export interface Process {
  readonly id: number;
  /** False: much is unsent; wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  endInput(): void;
  resize(cols: number, rows: number): void;
  kill(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP', tree: boolean): void;
  hold(held: boolean): void;
  forget(): void;
}
export type SpawnRequest = Omit<Extract<AgentdRequest, { op: 'spawn' }>, 'op'>;
export type RunRequest = Omit<
  Extract<AgentdRequest, { op: 'run' }>,
  'op' | 'limitBytes' | 'timeoutMs'
> & { limitBytes?: number; timeoutMs?: number };
export type RunResult = Extract<AgentdReply, { op: 'done' }>;

export interface DoorEvents {
  /** agentd is here; `orphans` are processes that this runner does not know. */
  here(orphans: ProcessView[]): void;
  gone(): void;
  /** agentd speaks another version (null: one that only hangs up). Told once; nothing can be done in this sandbox. */
  foreign(version: number | null): void;
}
/** The runner's end of one sandbox: agentd dials in, and after a break dials in again. */
export interface Door extends AsyncDisposable {
  readonly here: boolean;
  /** As agentd said last; null before it was ever here. */
  readonly place: Place | null;
  /** Lets agentd in; nothing of `events` happens before it. */
  start(): void;
  spawn(request: SpawnRequest, handlers: ProcessHandlers): Promise<Process>;
  /** Takes a process over that an earlier runner started; its output comes from the oldest byte that is left. */
  adopt(view: ProcessView, handlers: ProcessHandlers): Process;
  run(request: RunRequest): Promise<RunResult>;
  /** One request with one answer. */
  ask(
    request: Extract<AgentdRequest, { op: 'list' | 'mkdir' | 'put-files' }>,
  ): Promise<AgentdReply>;
  /** A file's bytes; `meta` comes before the first. */
  read(
    path: string,
    meta: (meta: Extract<AgentdReply, { op: 'meta' }>) => void,
    bytes: (chunk: Buffer) => void,
  ): Download;
  write(path: string, ifMatch?: string): Upload;
  drained(): Promise<void>;
}
export interface Download {
  /** Resolves when all of it was handed out, or when it was stopped. */
  readonly ended: Promise<void>;
  hold(held: boolean): void;
  stop(): void;
}
export interface Upload {
  send(bytes: Uint8Array): boolean;
  /** Resolves with the file's etag once it stands in place. */
  finish(): Promise<string>;
  readonly failed: Promise<never>;
}

/** A process as the door keeps it: which bytes were handed out. */
export interface Known {
  handlers: ProcessHandlers;
  next: number;
  stderrNext: number;
  held: boolean;
}
/** A request that waits for its answer. */
export interface Asked {
  reply(reply: AgentdReply): void;
  bytes?(body: Buffer): void;
  fail(error: Error): void;
}
