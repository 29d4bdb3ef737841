import { accessSync, constants, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ReadStream } from 'node:tty';
import type { Child, ChildEvents, Start } from './child.ts';

/**
 * The native half of @lydell/node-pty 1.1.0, without its JavaScript: that one destroys the stream 200 ms after the process ended, which
 * loses what a paused reader has not read yet, and its writes spin in the kernel while the program inside does not read.
 */
interface NativePty {
  fork(
    file: string,
    args: string[],
    env: string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onExit: (code: number, signal: number) => void,
  ): { fd: number; pid: number; pty: string };
  resize(fd: number, cols: number, rows: number): void;
}

let native: NativePty | undefined;
/** Loaded at the first terminal, from beside the program: the bundle carries no native code. */
function loadNative(): NativePty {
  native ??= createRequire(process.argv[1] ?? import.meta.url)(
    `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`,
  ) as NativePty;
  return native;
}

const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

/** forkpty reports a program that cannot start only by its exit, so look first. Throws with one sentence. */
function mustStart(file: string, cwd: string, searchPath: string): void {
  if (!statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`no folder ${cwd}`);
  const candidates = file.includes('/')
    ? [path.resolve(cwd, file)]
    : searchPath.split(':').map((folder) => path.join(folder, file));
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return;
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
    }
  }
  throw new Error(`no program ${file}`);
}

export const ptyInputBytesMax = 1024 * 1024;
const retryMs = 10;

export function openPty(
  start: Start,
  size: { cols: number; rows: number },
  events: ChildEvents,
): Child {
  const [file = '', ...args] = start.argv;
  mustStart(file, start.cwd, start.env['PATH'] ?? '');
  const env = Object.entries(start.env).map(([name, value]) => `${name}=${value}`);
  const opened = loadNative().fork(
    file,
    args,
    env,
    start.cwd,
    size.cols,
    size.rows,
    -1,
    -1,
    true,
    '',
    (code, signal) => events.exit(signal > 0 ? null : code, signal > 0 ? signalName(signal) : null),
  );
  const stream = new ReadStream(opened.fd);
  let closed = false;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  stream.on('data', (chunk: Buffer) => events.output(chunk));
  // EIO is how a terminal ends: nobody holds its other side any more.
  stream.on('error', () => stream.destroy());
  stream.on('close', () => {
    closed = true;
    clearTimeout(timer);
    waiting = [];
    waitingBytes = 0;
    events.ended('output');
  });

  /** The descriptor does not block: what the program does not take yet is tried again. */
  const flush = (): void => {
    timer = undefined;
    for (let first = waiting[0]; first !== undefined && !closed; first = waiting[0]) {
      try {
        const done = writeSync(opened.fd, first);
        waitingBytes -= done;
        if (done === first.length) waiting.shift();
        else waiting[0] = first.subarray(done);
      } catch (error) {
        if (errorCode(error) === 'EAGAIN') timer = setTimeout(flush, retryMs);
        else stream.destroy();
        return;
      }
    }
    events.inputDrained();
  };

  return {
    pid: opened.pid,
    source: { output: stream },
    get inputBytes() {
      return waitingBytes;
    },
    write(bytes) {
      // A terminal that nobody reads drops keys; so does this one, far beyond any paste.
      if (closed || waitingBytes > ptyInputBytesMax) return;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (timer === undefined) flush();
    },
    endInput() {
      this.write(Buffer.from([4])); // ^D: what ends input on a terminal
    },
    resize(cols, rows) {
      if (!closed) loadNative().resize(opened.fd, cols, rows);
    },
    close() {
      stream.destroy();
    },
  };
}

const signalNames: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  15: 'SIGTERM',
};
const signalName = (signal: number): string => signalNames[signal] ?? `signal ${String(signal)}`;
