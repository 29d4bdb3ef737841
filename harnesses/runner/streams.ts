import type { StreamPurpose } from '@berth/contract/link';
import WebSocket from 'ws';
import type { Process } from './agentd/ports.ts';
import { refusalOf, workspacePath } from './calls.ts';
import { Refusal } from './git/base.ts';
import { keepAlive } from './heartbeat.ts';
import { limits } from './limits.ts';
import { bearer, socketUrl, type LinkTarget } from './link.ts';
import type { Session } from './session/ports.ts';

type Log = (fields: Record<string, unknown>, message: string) => void;

/** Dials the stream's own socket and serves its purpose there. Resolves when it is over. */
export async function serveStream(options: {
  target: LinkTarget;
  streamId: string;
  /** Which process of the control plane waits for it. */
  at: string | undefined;
  session: Session | undefined;
  purpose: StreamPurpose;
  log: Log;
}): Promise<void> {
  const { target, streamId, at, session, purpose, log } = options;
  const path = `/api/v1/runner/streams/${streamId}${at === undefined ? '' : `?at=${at}`}`;
  const socket = new WebSocket(socketUrl(target.url, path), {
    headers: bearer(target.credential),
    handshakeTimeout: limits.streamDialMs,
    perMessageDeflate: false,
    maxPayload: 64 * 1024 * 1024,
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', (error) => log({ streamId, error: error.message }, 'stream'));
  const early = new Inbox(socket);
  const opened = await Promise.race([
    new Promise<true>((resolve) => socket.once('open', () => resolve(true))),
    closed.then(() => false as const),
  ]);
  if (!opened) return;
  keepAlive(socket, limits.streamBeat, () => log({ streamId }, 'stream fell silent'));
  try {
    if (!session) throw new Refusal('sandbox-away', 'The session is not on this machine.');
    await serve(socket, early, session, purpose, log);
    if (purpose.kind !== 'terminal') control(socket, { end: true });
  } catch (error) {
    const { fault, ...fail } = refusalOf(error);
    if (fault)
      log(
        { streamId, error: error instanceof Error ? error.stack : String(error) },
        'stream failed',
      );
    control(socket, { fail });
  }
  socket.resume(); // what nobody read must not stand before the answer to our close
  if (purpose.kind !== 'terminal') socket.close(1000);
  await closed;
}

const control = (socket: WebSocket, frame: object): void => {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
};

/** What comes in, pulled: the socket waits while nobody reads. */
class Inbox {
  readonly #socket: WebSocket;
  readonly #items: Buffer[] = [];
  #state: 'open' | 'ended' | 'broken' = 'open';
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data, binary) => {
      if (this.onFrame) {
        if (binary) this.onFrame(data as Buffer);
        return;
      }
      if (binary) {
        this.#items.push(data as Buffer);
        socket.pause();
      } else if (isEnd(data as Buffer)) this.#state = 'ended';
      this.#wake();
    });
    socket.on('close', () => {
      if (this.#state === 'open') this.#state = 'broken';
      this.#wake();
    });
  }
  /** Frames are handed out as they come instead. */
  onFrame: ((bytes: Buffer) => void) | null = null;
  push(take: (bytes: Buffer) => void): void {
    this.onFrame = take;
    for (const bytes of this.#items.splice(0)) take(bytes);
    this.#socket.resume();
  }
  async *bytes(): AsyncGenerator<Buffer> {
    for (;;) {
      const next = this.#items.shift();
      if (next) {
        yield next;
        continue;
      }
      if (this.#state === 'ended') return;
      if (this.#state === 'broken') throw new Refusal('stream-broken', 'The stream was cut off.');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
    }
  }
}
function isEnd(data: Buffer): boolean {
  try {
    return (JSON.parse(data.toString('utf8')) as { end?: unknown } | null)?.end === true;
  } catch {
    return false;
  }
}

/** Sends bytes on and holds their source while the socket is full. */
function sender(socket: WebSocket, hold: (held: boolean) => void): (bytes: Buffer) => void {
  return (bytes) => {
    socket.send(Buffer.from(bytes), () => {
      if (socket.bufferedAmount < limits.viewerBufferBytes) hold(false);
    });
    if (socket.bufferedAmount >= limits.viewerBufferBytes) hold(true);
  };
}

async function serve(
  socket: WebSocket,
  inbox: Inbox,
  session: Session,
  purpose: StreamPurpose,
  log: Log,
): Promise<void> {
  const { door } = session;
  switch (purpose.kind) {
    case 'terminal': {
      const viewer = session.terminals.get(purpose.terminalId).attach(
        {
          send: (frame, taken) => socket.send(frame, () => taken()),
          buffered: () => socket.bufferedAmount,
          end: () => {
            control(socket, { end: true });
            socket.close(1000);
          },
        },
        { cols: purpose.cols, rows: purpose.rows },
        purpose.offset,
      );
      socket.once('close', () => viewer.detach());
      inbox.push((bytes) => viewer.frame(bytes));
      return;
    }
    case 'file.read': {
      if (purpose.rev === 'base') {
        const { sizeBytes, etag, ...command } = await session.base().show(gitPath(purpose.path));
        control(socket, { meta: { sizeBytes, modifiedAtMs: 0, etag } });
        await pour(session, command, socket);
        return;
      }
      const send = sender(socket, (held) => reading.hold(held));
      const reading = door.read(
        workspacePath(purpose.path),
        ({ sizeBytes, modifiedAtMs, etag }) =>
          control(socket, { meta: { sizeBytes, modifiedAtMs, etag } }),
        send,
      );
      whenGone(socket, () => reading.stop());
      await reading.ended;
      return;
    }
    case 'file.write': {
      const upload = door.write(workspacePath(purpose.path), purpose.ifMatch);
      for await (const bytes of inbox.bytes()) {
        if (upload.send(bytes)) continue;
        await Promise.race([door.drained(), upload.failed]);
      }
      control(socket, { meta: { etag: await upload.finish() } });
      return;
    }
    case 'archive.write': {
      const mustBeEmpty = async (): Promise<void> => {
        const listed = await door.ask({ op: 'list', path: '/workspace' });
        if (listed.op === 'list' && listed.items.length > 0)
          throw new Refusal('workspace-not-empty', 'The workspace is not empty.');
      };
      if (!purpose.overwrite) await mustBeEmpty();
      const files = await session.replaceWorkspace(async () => {
        // Again: the agent may have worked until now.
        if (!purpose.overwrite) await mustBeEmpty();
        try {
          await unpack(session, inbox.bytes());
        } catch (error) {
          // Half an archive would stand in the way of the next try.
          if (!purpose.overwrite) await emptyWorkspace(session);
          throw error;
        }
      });
      control(socket, { meta: { files } });
      return;
    }
    case 'changes.patch': {
      const path = purpose.path === undefined ? undefined : gitPath(purpose.path);
      await pour(session, await session.base().patch(path), socket);
      return;
    }
  }
  log({ purpose }, 'unknown purpose');
}

/** As git names it: from the workspace's top. */
const gitPath = (path: string): string => workspacePath(path).replace(/^\/workspace\/?/, '');

/** At once when it is gone already: nobody would ever let its source go on. */
function whenGone(socket: WebSocket, act: () => void): void {
  if (socket.readyState === WebSocket.OPEN) socket.once('close', act);
  else act();
}

/** A command's output onto the socket. */
async function pour(
  session: Session,
  command: { argv: string[]; env: Record<string, string>; cwd?: string | undefined },
  socket: WebSocket,
): Promise<void> {
  const { argv, env } = command;
  let stderr = '';
  const code = await new Promise<number | null>((resolve, reject) => {
    let process: Process | undefined;
    const send = sender(socket, (held) => process?.hold(held));
    session.door
      .spawn(
        { tag: 'job:stream', argv, env, cwd: '/workspace' },
        {
          output: send,
          stderr: (bytes) => {
            stderr = (stderr + bytes.toString('utf8')).slice(-2000);
          },
          exited(exit, lost) {
            if (!lost) process?.forget();
            resolve(exit.code);
          },
        },
      )
      .then((started) => {
        process = started;
        whenGone(socket, () => started.kill('SIGKILL', true));
      }, reject);
  });
  if (code !== 0) throw new Refusal('git-failed', stderr.trim() || 'The command failed.');
}

async function emptyWorkspace({ door }: Session): Promise<void> {
  const argv = ['find', '.', '-mindepth', '1', '-delete'];
  await door.run({ argv, cwd: '/workspace', env: {} });
}

/** A tar stream, gzip or not, unpacked by the sandbox's own tar: what it holds can reach nothing else. */
async function unpack(session: Session, bytes: AsyncGenerator<Buffer>): Promise<void> {
  const { door } = session;
  const first = await bytes.next();
  const head = first.done === true ? Buffer.alloc(0) : first.value;
  if (head.length === 0) throw new Refusal('bad-archive', 'The archive is empty.');
  const zipped = head[0] === 0x1f && head[1] === 0x8b;
  let stderr = '';
  let over: number | null | undefined;
  let exited: () => void = () => undefined;
  const end = new Promise<void>((resolve) => {
    exited = resolve;
  });
  const tar: Process = await door.spawn(
    {
      tag: 'job:tar',
      argv: ['tar', zipped ? '-xzf' : '-xf', '-', '--no-same-owner', '-C', '.'],
      cwd: '/workspace',
      env: {},
    },
    {
      output: () => undefined,
      stderr: (said) => {
        stderr = (stderr + said.toString('utf8')).slice(-2000);
      },
      exited(exit, lost) {
        over = exit.code;
        if (!lost) tar.forget();
        exited();
      },
    },
  );
  try {
    let chunk: Buffer | undefined = head;
    while (chunk !== undefined && over === undefined) {
      if (!tar.write(chunk)) await Promise.race([door.drained(), end]);
      const next: IteratorResult<Buffer> = await bytes.next();
      chunk = next.done === true ? undefined : next.value;
    }
    tar.endInput();
  } catch (error) {
    tar.kill('SIGKILL', true);
    throw error;
  }
  await end;
  if (over !== 0)
    throw new Refusal('bad-archive', stderr.trim() || 'The archive could not be unpacked.');
}
