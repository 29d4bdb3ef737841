import { spawn } from 'node:child_process';
import type { Source } from './output.ts';

/** How a process starts; the environment is complete. */
export interface Start {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
}
export interface ChildEvents {
  output(chunk: Uint8Array): void;
  stderr(chunk: Uint8Array): void;
  /** The stream has told everything. */
  ended(stream: 'output' | 'stderr'): void;
  exit(code: number | null, signal: string | null): void;
  /** What was written has been taken. */
  inputDrained(): void;
}
/** A running process, with pipes or on a terminal. */
export interface Child {
  readonly pid: number;
  readonly source: { output: Source; stderr?: Source };
  /** Input that the process has not taken yet. */
  readonly inputBytes: number;
  write(bytes: Buffer): void;
  endInput(): void;
  resize(cols: number, rows: number): void;
  /** Stop reading: the process has ended, but something that it left behind holds its output open. */
  close(): void;
}

/** In a process group and session of its own, so that a signal reaches all of it. Rejects with one sentence when it cannot start. */
export function openPipes(start: Start, events: ChildEvents): Promise<Child> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = start.argv;
    const child = spawn(file, args, {
      cwd: start.cwd,
      env: start.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const { stdin, stdout, stderr } = child;
    child.once('error', (error) => reject(error));
    child.once('exit', (code, signal) => events.exit(code, signal));
    stdin.on('drain', () => events.inputDrained());
    // EPIPE: the process closed its input; its exit tells the rest.
    stdin.on('error', () => events.inputDrained());
    stdout.on('data', (chunk: Buffer) => events.output(chunk));
    stderr.on('data', (chunk: Buffer) => events.stderr(chunk));
    for (const [name, stream] of [
      ['output', stdout],
      ['stderr', stderr],
    ] as const) {
      stream.on('error', () => stream.destroy());
      stream.once('close', () => events.ended(name));
    }
    child.once('spawn', () => {
      const { pid } = child;
      if (pid === undefined) return;
      resolve({
        pid,
        source: { output: stdout, stderr },
        get inputBytes() {
          return stdin.destroyed ? 0 : stdin.writableLength;
        },
        write: (bytes) => {
          if (stdin.writable) stdin.write(bytes);
        },
        endInput: () => stdin.end(),
        resize: () => undefined,
        close: () => {
          stdout.destroy();
          stderr.destroy();
        },
      });
    });
  });
}
