import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const dist = (...path: string[]): string => join(root, 'dist', ...path);
const startMs = 60_000;

/** One process of the built control plane that was started just now. */
export interface Launched {
  readonly child: ChildProcess;
  /** Resolves to its address when it serves; rejects with all that was written when it ends before, or takes too long. */
  readonly ready: Promise<string>;
}

/** Nothing of the environment of whoever runs the tests but the path. `heard`: what it writes to standard error. */
export function launch(options: {
  dataDir: string;
  env: Readonly<Record<string, string>>;
  uid?: number | undefined;
  heard: (text: string) => void;
  written: () => string;
}): Launched {
  const { dataDir, env, uid, heard, written } = options;
  const child = spawn(process.execPath, [dist('control-plane', 'main.mjs')], {
    cwd: dataDir,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: dataDir,
      BERTH_DATA_DIR: dataDir,
      LOG_LEVEL: 'info',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  child.stderr.on('data', (chunk: Buffer) => heard(chunk.toString()));
  let said = '';
  const ready = new Promise<string>((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`not ready in time\n${written()}`)), startMs);
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /^berth ready (\S+)$/m.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      done(found);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      failed(new Error(`ended with ${String(signal ?? code)}\n${written()}`));
    });
  });
  return { child, ready };
}
