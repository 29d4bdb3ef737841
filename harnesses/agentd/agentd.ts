import { realpathSync } from 'node:fs';
import path from 'node:path';
import { createDownloads } from './downloads.ts';
import { createFiles, fileProblem } from './files.ts';
import { createForwards } from './forward.ts';
import { createLink, type Link } from './link.ts';
import { oncePerTurn } from './once-per-turn.ts';
import { createProcesses } from './processes.ts';
import { putFiles } from './put-files.ts';
import {
  agentdFrame,
  agentdVersion,
  fileRoots,
  socketName,
  type AgentdReply,
  type AgentdRequest,
  type AgentdStart,
} from './protocol.ts';
import { parseRequest } from './request.ts';
import { run } from './run.ts';
import { createUploads } from './uploads.ts';

/**
 * Output that comes so soon after other output goes with what follows it: a little while at first, longer while it goes on. At the most that is
 * 60 MB/s of what may wait unsent.
 */
const gatherMs = { first: 1, most: 4 } as const;

export interface AgentdOptions {
  socketDir: string;
  /** Where `/workspace` of the protocol is. The same, but in a sandbox without isolation. */
  workspace: string;
  env: Readonly<Record<string, string>>;
  startedAtMs: number;
  log: (line: string) => void;
  /** Left by the runner: begun at once. */
  start?: AgentdStart | null;
  /** Nobody has come, or nobody has come back, for too long. */
  abandoned: (reason: string) => void;
  deadlines?: { firstHelloMs: number; linklessMs: number };
}
const usualDeadlines = { firstHelloMs: 30_000, linklessMs: 600_000 };
/** A runner that connects says hello at once. */
const helloMs = 10_000;
/** More input than this lying in processes: the link is not read, for at most `inputWaitMs` at a time, so that a kill still gets through. */
const inputBytesHigh = 16 * 1024 * 1024;
const inputWaitMs = 1000;
const [publicRoot] = fileRoots;

/**
 * States of the link: down → up (connected, nothing heard) → ready (the runner's hello was answered) → down. Requests count only while
 * ready. Nothing but what the runner left in writing starts before the first hello; processes outlive the link; without one for too long, agentd gives up its sandbox.
 */
export function createAgentd(options: AgentdOptions): { close(): void } {
  const { log, workspace } = options;
  const deadlines = options.deadlines ?? usualDeadlines;
  let ready = false;
  let greeting: (() => void)[] | undefined;
  let pumping = false;
  let inputWait: NodeJS.Timeout | undefined;
  let helloWait: NodeJS.Timeout | undefined;
  let scope = new AbortController();
  let deadMan = setTimeout(() => options.abandoned('no runner came'), deadlines.firstHelloMs);

  const place = (cwd: string | undefined): string => {
    if (cwd === undefined) return workspace;
    const normal = path.posix.normalize(cwd);
    if (normal === publicRoot || normal.startsWith(`${publicRoot}/`))
      return path.join(workspace, normal.slice(publicRoot.length));
    return path.resolve(workspace, cwd);
  };
  const reply = (id: number, message: AgentdReply): void => {
    if (ready) link.send(agentdFrame.control, id, Buffer.from(JSON.stringify(message)));
  };
  const failed = (id: number, error: unknown): void => {
    const { code, message } = fileProblem(error);
    reply(id, { op: 'failed', code, detail: message });
  };
  const pump = (): void => {
    if (pumping) return;
    pumping = true;
    while (ready && !link.full && processes.sendOne());
    pumping = false;
    if (!link.full) downloads.wake();
  };
  const inputDrained = (): void => {
    if (inputWait !== undefined && processes.inputBytes < inputBytesHigh) goOnReading();
  };
  const goOnReading = (): void => {
    clearTimeout(inputWait);
    inputWait = undefined;
    link.holdReading(false);
  };

  const processes = createProcesses({
    env: options.env,
    place,
    reply,
    send: (type, id, body) => link.send(type, id, body),
    // A program that writes much writes 4 KiB at a time: each alone would cost every hop behind this as much as 64.
    pump: oncePerTurn(pump, (end, busy) =>
      setTimeout(end, Math.min(gatherMs.first + busy, gatherMs.most)),
    ),
    inputDrained,
    log,
  });
  const files = createFiles({ root: workspace, publicRoot });
  const forwards = createForwards({ socketDir: options.socketDir, log });
  const uploads = createUploads({ files, reply, failed, log });
  const downloads = createDownloads({
    files,
    reply,
    send: (type, id, body) => link.send(type, id, body),
    full: () => link.full,
  });
  const runs = new Map<number, AbortController>();
  const begun = options.start ? begin(options.start) : Promise.resolve();

  /** Fails as a spawn does: the runner finds no process then, and starts one itself, which tells why. */
  async function begin(start: AgentdStart): Promise<void> {
    try {
      await Promise.all([forwards.ensure(start.ports), putFiles(start.files)]);
      await processes.spawn(start.id, { op: 'spawn', ...start.spawn });
    } catch (error) {
      log(`what was left to start did not: ${String(error)}`);
    }
  }

  async function execute(
    id: number,
    request: Extract<AgentdRequest, { op: 'run' }>,
  ): Promise<void> {
    const stop = new AbortController();
    runs.set(id, stop);
    try {
      const spot = { cwd: place(request.cwd), env: options.env, tag: `run:${String(id)}` };
      reply(id, await run(request, spot, AbortSignal.any([stop.signal, scope.signal])));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      reply(id, {
        op: 'failed',
        code: 'spawn-failed',
        detail: `${request.argv[0] ?? ''}: ${text}`,
      });
    } finally {
      runs.delete(id);
    }
  }

  /** The answer waits until the ports listen: what the runner starts next may use them at once. Frames behind the hello wait too. */
  async function hello(request: Extract<AgentdRequest, { op: 'hello' }>): Promise<void> {
    clearTimeout(helloWait);
    clearTimeout(deadMan);
    const waiting: (() => void)[] = [];
    greeting = waiting;
    await forwards.ensure(request.ports);
    await begun;
    if (greeting !== waiting) return; // this link is gone
    greeting = undefined;
    ready = true;
    reply(0, {
      op: 'hello',
      version: agentdVersion,
      pid: process.pid,
      startedAtMs: options.startedAtMs,
      place: {
        workspace: realpathSync(workspace),
        home: options.env['HOME'] ?? '/home/agent',
        node: process.execPath,
      },
      processes: processes.adopt(request.adopt),
    });
    for (const frame of waiting) frame();
    pump();
  }

  /** Whatever else it says would be misunderstood. What runs goes on until the sandbox is started again, or nobody came for too long. */
  function otherVersion(version: number): void {
    clearTimeout(helloWait);
    const reply: AgentdReply = { op: 'other-version', version: agentdVersion };
    const why = `the runner speaks version ${String(version)}, this is ${String(agentdVersion)}`;
    link.refuse(why, agentdFrame.control, 0, Buffer.from(JSON.stringify(reply)));
  }

  function handle(id: number, request: AgentdRequest): void {
    if (request.op === 'hello') {
      link.drop('a second hello');
      return;
    }
    if (id === 0) {
      link.drop(`${request.op} without an id`);
      return;
    }
    switch (request.op) {
      case 'spawn': {
        watch(id, processes.spawn(id, request));
        return;
      }
      case 'run': {
        watch(id, execute(id, request));
        return;
      }
      case 'list': {
        watch(
          id,
          files.list(request.path).then((items) => reply(id, { op: 'list', items })),
        );
        return;
      }
      case 'read': {
        watch(id, downloads.begin(id, request.path));
        return;
      }
      case 'write': {
        uploads.begin(id, request);
        return;
      }
      case 'mkdir': {
        watch(
          id,
          files.mkdir(request.path).then(() => reply(id, { op: 'end' })),
        );
        return;
      }
      case 'put-files': {
        watch(
          id,
          putFiles(request.files).then(() => reply(id, { op: 'end' })),
        );
        return;
      }
      case 'end-input':
        if (uploads.finish(id)) return;
        break;
      case 'kill':
        if (runs.has(id)) return runs.get(id)?.abort();
        if (downloads.request(id, 'kill')) return;
        break;
      case 'pause':
      case 'resume':
        if (downloads.request(id, request.op)) return;
        break;
      case 'resize':
      case 'forget':
    }
    if (!processes.request(id, request))
      reply(id, { op: 'failed', code: 'unknown-id', detail: `no process ${String(id)}` });
  }
  const watch = (id: number, work: Promise<void>): void => {
    work.catch((error: unknown) => failed(id, error));
  };

  function input(id: number, body: Buffer): void {
    const bytes = Buffer.from(body);
    if (uploads.write(id, bytes)) return;
    // Unknown: it ended and was forgotten, or its upload failed; that was told already.
    processes.input(id, body);
    if (inputWait === undefined && processes.inputBytes > inputBytesHigh) {
      link.holdReading(true);
      inputWait = setTimeout(goOnReading, inputWaitMs);
    }
  }

  function onFrame(type: number, id: number, body: Buffer): void {
    if (greeting) {
      const kept = Buffer.from(body);
      greeting.push(() => onFrame(type, id, kept));
      return;
    }
    if (type === agentdFrame.input && ready) {
      input(id, body);
      return;
    }
    if (type !== agentdFrame.control) {
      link.drop(`frame of type ${String(type)}`);
      return;
    }
    const parsed = parseRequest(body);
    if (ready) {
      if (parsed.kind === 'request') handle(id, parsed.request);
      else reply(id, { op: 'failed', code: 'io', detail: parsed.detail });
      return;
    }
    if (parsed.kind === 'request' && parsed.request.op === 'hello') {
      const { version } = parsed.request;
      if (version === agentdVersion) watch(0, hello(parsed.request));
      else otherVersion(version);
    } else link.drop('the first frame is not a hello');
  }

  const link: Link = createLink({
    path: path.join(options.socketDir, socketName.agentd),
    log,
    events: {
      frame: onFrame,
      writable: pump,
      up() {
        helloWait = setTimeout(() => link.drop('no hello'), helloMs);
      },
      down() {
        clearTimeout(helloWait);
        if (!ready && !greeting) return;
        greeting = undefined;
        ready = false;
        scope.abort();
        scope = new AbortController();
        downloads.stopAll();
        uploads.dropAll();
        if (inputWait !== undefined) goOnReading();
        deadMan = setTimeout(() => options.abandoned('no runner came back'), deadlines.linklessMs);
      },
    },
  });

  return {
    close() {
      clearTimeout(deadMan);
      clearTimeout(helloWait);
      clearTimeout(inputWait);
      scope.abort();
      link.close();
      forwards.close();
      processes.close();
    },
  };
}
