import { openPipes, type Child, type ChildEvents, type Start } from './child.ts';
import { Output } from './output.ts';
import {
  agentdFrame,
  type AgentdReply,
  type AgentdRequest,
  type ExitView,
  type ProcessView,
} from './protocol.ts';
import { openPty } from './pty.ts';
import { killTree, markName, scanProcs, signal, treeOf } from './tree.ts';

type Spawn = Extract<AgentdRequest, { op: 'spawn' }>;
type Kill = Extract<AgentdRequest, { op: 'kill' }>;

/** A process has ended, but something holds its output open: after this long without a byte, its end is told. */
const lingerMs = 250;
/** Ended processes that nobody has forgotten, and living ones. */
export const processesMax = 256;
/** Input that one process may leave lying: beyond, it is refused. */
const inputBytesMax = 64 * 1024 * 1024;

interface Entry {
  readonly id: number;
  readonly tag: string;
  readonly child: Child;
  readonly output: Output;
  readonly stderr: Output;
  size: { cols: number; rows: number } | undefined;
  exit: ExitView | undefined;
  /** All of its output is in the rings. */
  finished: boolean;
  exitTold: boolean;
  linger: NodeJS.Timeout | undefined;
}

export interface ProcessesOptions {
  env: Readonly<Record<string, string>>;
  /** Where a cwd of the protocol is in this file system. */
  place: (cwd: string | undefined) => string;
  reply: (id: number, reply: AgentdReply) => void;
  send: (type: number, id: number, body: Uint8Array) => void;
  /** Something may be sent. */
  pump: () => void;
  /** Input was taken. */
  inputDrained: () => void;
  log: (line: string) => void;
}

/** The processes that the runner asked for: their output, input and end. They outlive the link. */
export function createProcesses(options: ProcessesOptions) {
  const { reply, send, pump, log } = options;
  const entries = new Map<number, Entry>();
  const starting = new Set<number>();
  let turn = 0;

  const refuse = (
    id: number,
    code: Extract<AgentdReply, { op: 'failed' }>['code'],
    detail: string,
  ) => reply(id, { op: 'failed', code, detail });

  function finish(entry: Entry): void {
    if (entry.finished) return;
    entry.finished = true;
    clearInterval(entry.linger);
    pump();
  }

  function exited(entry: Entry, exit: ExitView): void {
    entry.exit = exit;
    if (entry.output.ended && entry.stderr.ended) {
      finish(entry);
      return;
    }
    let seen = -1;
    // Time alone does not end it: while the runner holds the stream, the rest is still in the process's pipe.
    entry.linger = setInterval(() => {
      const now = entry.output.to + entry.stderr.to;
      const flowing = entry.output.drained && entry.stderr.drained;
      if (now === seen && flowing) {
        entry.child.close();
        finish(entry);
      }
      seen = now;
    }, lingerMs);
  }

  async function spawn(id: number, request: Spawn): Promise<void> {
    if (entries.has(id) || starting.has(id)) {
      refuse(id, 'spawn-failed', `process ${String(id)} exists already`);
      return;
    }
    if (entries.size + starting.size >= processesMax) {
      refuse(id, 'spawn-failed', `more than ${String(processesMax)} processes`);
      return;
    }
    const start: Start = {
      argv: request.argv,
      cwd: options.place(request.cwd),
      env: {
        ...options.env,
        ...(request.pty ? { TERM: 'xterm-256color' } : {}),
        ...request.env,
        [markName]: request.tag,
      },
    };
    const output = new Output();
    const stderr = new Output();
    const early: (() => void)[] = [];
    let entry: Entry | undefined;
    const whenKnown = (act: (known: Entry) => void): void => {
      if (entry) act(entry);
      else early.push(() => entry && act(entry));
    };
    const events: ChildEvents = {
      output: (chunk) => whenKnown((known) => take(known, known.output, chunk)),
      stderr: (chunk) => whenKnown((known) => take(known, known.stderr, chunk)),
      ended: (stream) =>
        whenKnown((known) => {
          known[stream].ended = true;
          if (known.exit && known.output.ended && known.stderr.ended) finish(known);
        }),
      exit: (code, name) => whenKnown((known) => exited(known, { code, signal: name })),
      inputDrained: options.inputDrained,
    };
    starting.add(id);
    try {
      const child = request.pty
        ? openPty(start, request.pty, events)
        : await openPipes(start, events);
      output.attach(child.source.output);
      if (child.source.stderr) stderr.attach(child.source.stderr);
      else stderr.ended = true;
      entry = {
        id,
        tag: request.tag,
        child,
        output,
        stderr,
        size: request.pty,
        exit: undefined,
        finished: false,
        exitTold: false,
        linger: undefined,
      };
      entries.set(id, entry);
      reply(id, { op: 'started', pid: child.pid });
      for (const act of early) act();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      refuse(id, 'spawn-failed', `${start.argv[0] ?? ''}: ${text}`);
    } finally {
      starting.delete(id);
    }
  }

  function take(entry: Entry, stream: Output, chunk: Uint8Array): void {
    if (entry.finished) return; // its end was told with an offset: what a stray child writes later is nobody's
    stream.push(chunk);
    pump();
  }

  /** Everything but the roots of the other trees, agentd and the init. */
  function findTree(entry: Entry): number[] {
    const spared = new Set([1, process.pid]);
    for (const other of entries.values())
      if (other !== entry && other.exit === undefined) spared.add(other.child.pid);
    return treeOf(entry.child.pid, entry.tag, scanProcs(), spared);
  }

  function kill(entry: Entry, request: Kill): void {
    if (!request.tree) {
      if (entry.exit === undefined) signal(entry.child.pid, request.signal);
      return;
    }
    if (request.signal !== 'SIGKILL') {
      for (const pid of findTree(entry)) signal(pid, request.signal);
      return;
    }
    killTree(() => findTree(entry)).then(
      (left) => {
        if (left.length > 0) log(`${entry.tag}: would not die: ${left.join(' ')}`);
      },
      (error: unknown) => log(`${entry.tag}: kill failed: ${String(error)}`),
    );
  }

  return {
    spawn,

    /** A request about a process that exists; false when there is none of this id. */
    request(id: number, request: AgentdRequest): boolean {
      const entry = entries.get(id);
      if (!entry) return false;
      switch (request.op) {
        case 'resize':
          entry.size &&= { cols: request.cols, rows: request.rows };
          if (entry.size && !entry.exit) entry.child.resize(request.cols, request.rows);
          return true;
        case 'kill':
          kill(entry, request);
          return true;
        case 'end-input':
          entry.child.endInput();
          return true;
        case 'pause':
        case 'resume':
          entry.output.hold(request.op === 'pause');
          entry.stderr.hold(request.op === 'pause');
          pump();
          return true;
        case 'forget':
          // A living process is not forgotten: nobody could end it any more.
          if (entry.exit === undefined) refuse(id, 'io', `process ${String(id)} has not ended`);
          else {
            clearInterval(entry.linger);
            entry.child.close();
            entries.delete(id);
          }
          return true;
        default:
          return false;
      }
    },

    input(id: number, bytes: Buffer): boolean {
      const entry = entries.get(id);
      if (!entry) return false;
      if (entry.exit !== undefined) return true;
      if (entry.child.inputBytes > inputBytesMax)
        refuse(id, 'io', `process ${String(id)} does not read its input`);
      else entry.child.write(Buffer.from(bytes)); // a view of the link's buffer until now
      return true;
    },

    get inputBytes(): number {
      let sum = 0;
      for (const entry of entries.values()) sum += entry.child.inputBytes;
      return sum;
    },

    /** A new link: `adopt` says how far the runner has each process's output; stderr is told again from the oldest byte held. */
    adopt(offsets: Readonly<Record<number, number>>): ProcessView[] {
      const views: ProcessView[] = [];
      for (const entry of entries.values()) {
        entry.output.rewind(offsets[entry.id]);
        entry.stderr.rewind(undefined);
        entry.exitTold = false;
        views.push({
          id: entry.id,
          tag: entry.tag,
          pid: entry.child.pid,
          pty: entry.size !== undefined,
          ringFrom: entry.output.from,
          outputTo: entry.output.to,
          ...entry.size,
          ...(entry.finished && entry.exit ? { exit: entry.exit } : {}),
        });
      }
      return views;
    },

    /** Sends one frame of the next process that has something; false when there is nothing. Processes take turns. */
    sendOne(): boolean {
      const all = [...entries.values()];
      for (let i = 0; i < all.length; i++) {
        const entry = all[(turn + i) % all.length];
        if (!entry) continue;
        for (const [type, stream] of [
          [agentdFrame.output, entry.output],
          [agentdFrame.stderr, entry.stderr],
        ] as const) {
          const body = stream.next();
          if (!body) continue;
          send(type, entry.id, body);
          turn = (turn + i + 1) % all.length;
          return true;
        }
        if (
          entry.finished &&
          entry.exit &&
          !entry.exitTold &&
          entry.output.drained &&
          entry.stderr.drained
        ) {
          entry.exitTold = true;
          reply(entry.id, { op: 'exited', ...entry.exit, outputTo: entry.output.to });
          return true;
        }
      }
      return false;
    },

    close(): void {
      for (const entry of entries.values()) {
        clearInterval(entry.linger);
        if (entry.exit === undefined) for (const pid of findTree(entry)) signal(pid, 'SIGKILL');
        entry.child.close();
      }
    },
  };
}
