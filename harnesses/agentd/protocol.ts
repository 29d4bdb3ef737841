/**
 * Between runner and agentd, on the Unix socket in /run/berth. Frame: u32 LE length of what follows, u8 type, u32 LE id, body.
 * agentd dials; the runner listens, so that a new runner finds the same agentd again. Plain data, no schema library: agentd stays small.
 */
/**
 * Raised when one side would not understand the other. agentd is as old as its sandbox, the runner as new as its machine: whoever hears another version says so and
 * does nothing else, and the sandbox is started again with the agentd of today; its files stay.
 */
export const agentdVersion = 1;

export const socketName = {
  agentd: 'agentd.sock',
  gateway: 'gateway.sock',
  egress: 'egress.sock',
} as const;
export const loopbackPort = { model: 4100, egress: 3128 } as const;

export const agentdFrame = {
  /** JSON control, both ways. */
  control: 0,
  /** Bytes to stdin or the PTY, or to a file that is being written. */
  input: 1,
  /** Bytes from stdout or the PTY (body: u64 LE stream offset, then bytes), or of a file that is being read. */
  output: 2,
  /** Bytes from stderr, same shape as `output`. */
  stderr: 3,
} as const;

/** agentd keeps this much of each process's latest output, so that a new runner can go on from its last offset. */
export const ringBytes = 1024 * 1024;

export interface ProcessView {
  id: number;
  /** The runner's name for it: `agent`, `terminal:<uuid>`, `job:…`. */
  tag: string;
  pid: number;
  pty: boolean;
  /** Offset of the oldest byte that agentd still has, and of the next. */
  ringFrom: number;
  outputTo: number;
  cols?: number;
  rows?: number;
  exit?: ExitView;
}
/** Where things are inside: without isolation they are not where they usually are. `node` is what agentd runs on. */
export interface Place {
  workspace: string;
  home: string;
  node: string;
}
export interface ExitView {
  code: number | null;
  signal: string | null;
}

/** Runner → agentd. `id` of the frame is the process or operation id, chosen by the runner (> 0). */
export type AgentdRequest =
  /** First frame of every connection; nothing that is asked for starts before it. `adopt`: from which offset each known process goes on. */
  | {
      op: 'hello';
      version: number;
      ports: { port: number; socket: string }[];
      adopt: Record<number, number>;
    }
  | {
      op: 'spawn';
      tag: string;
      argv: string[];
      cwd?: string;
      env: Record<string, string>;
      pty?: { cols: number; rows: number };
    }
  | { op: 'resize'; cols: number; rows: number }
  /** `tree`: the process and everything that descends from it or bears its mark; terminals live on. */
  | { op: 'kill'; signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP'; tree: boolean }
  | { op: 'end-input' }
  /** Flow control of one stream: output waits in the process, or in the file that is being read, until `resume`. A `kill` ends a `read` early. */
  | { op: 'pause' }
  | { op: 'resume' }
  /** Forget an ended process and its ring. */
  | { op: 'forget' }
  /** Runs to its end; answers `done` with what it wrote, each stream cut at `limitBytes`. */
  | {
      op: 'run';
      argv: string[];
      cwd?: string;
      env: Record<string, string>;
      input?: string;
      limitBytes: number;
      timeoutMs: number;
    }
  | { op: 'list'; path: string }
  | { op: 'read'; path: string }
  | { op: 'write'; path: string; mode?: number; ifMatch?: string }
  | { op: 'mkdir'; path: string }
  /** Small files of ours anywhere the agent could write too: each whole or not at all, its folders are made. Answers `end`. */
  | { op: 'put-files'; files: { path: string; content: string; overwrite: boolean }[] };

/**
 * In the run folder, from the runner: the agent of a session that begins. An agentd that starts and finds it, in a workspace without files, starts this one thing
 * before anybody has said hello, so that the two programs do not wait for each other. The runner knows it again by its tag.
 */
export const startFileName = 'start.json';
export interface AgentdStart {
  version: number;
  ports: Extract<AgentdRequest, { op: 'hello' }>['ports'];
  files: Extract<AgentdRequest, { op: 'put-files' }>['files'];
  id: number;
  spawn: Omit<Extract<AgentdRequest, { op: 'spawn' }>, 'op'>;
}

/** agentd → runner, `id` as in the request; `hello` has id 0. */
export type AgentdReply =
  | {
      op: 'hello';
      version: number;
      pid: number;
      startedAtMs: number;
      place: Place;
      processes: ProcessView[];
    }
  /** Instead of a hello: it speaks this version, not the runner's. The connection is closed. */
  | { op: 'other-version'; version: number }
  | { op: 'started'; pid: number }
  | { op: 'exited'; code: number | null; signal: string | null; outputTo: number }
  | {
      op: 'done';
      code: number | null;
      signal: string | null;
      stdout: string;
      stderr: string;
      truncated: boolean;
      timedOut: boolean;
    }
  | {
      op: 'list';
      items: {
        name: string;
        type: 'file' | 'directory' | 'link' | 'other';
        sizeBytes: number;
        modifiedAtMs: number;
      }[];
    }
  | { op: 'meta'; sizeBytes: number; modifiedAtMs: number; etag: string }
  | { op: 'end' }
  | { op: 'written'; etag: string }
  | {
      op: 'failed';
      code:
        | 'not-found'
        | 'outside-workspace'
        | 'version-stale'
        | 'not-a-file'
        | 'not-a-directory'
        | 'file-refused'
        | 'disk-full'
        | 'spawn-failed'
        | 'unknown-id'
        | 'io';
      detail: string;
    };

/** Paths in file requests are absolute inside the sandbox; agentd resolves links and refuses what leaves these. */
export const fileRoots = ['/workspace'] as const;

export function encodeAgentdFrame(type: number, id: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(9 + body.length);
  frame.writeUInt32LE(body.length + 5, 0);
  frame[4] = type;
  frame.writeUInt32LE(id, 5);
  frame.set(body, 9);
  return frame;
}

/** A frame above this is a fault of the other side: the connection is closed. */
export const frameBytesMax = 8 * 1024 * 1024;

/** Cuts a byte stream into frames; the bodies handed out are views that live until the next `push`. */
export class AgentdFrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Throws a RangeError when the stream cannot be a frame stream. */
  push(chunk: Buffer, take: (type: number, id: number, body: Buffer) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32LE(at);
      if (length < 5 || length > frameBytesMax)
        throw new RangeError(`frame of ${String(length)} bytes`);
      if (bytes.length - at - 4 < length) break;
      take(
        bytes.readUInt8(at + 4),
        bytes.readUInt32LE(at + 5),
        bytes.subarray(at + 9, at + 4 + length),
      );
      at += 4 + length;
    }
    this.#rest = bytes.subarray(at);
  }
}
