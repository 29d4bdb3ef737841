import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** `local.json`: how editor and CLI of the same user find and enter the embedded server. Written last, when it serves. */
export interface LocalFile {
  /** Makes the data directory, readable by its owner only. Throws one sentence when it cannot. */
  prepare(): void;
  /** The token of the last start: it is kept while it is good, so that open editors stay signed in over a restart. */
  previousToken(): string | undefined;
  write(content: {
    url: string;
    token: string;
    pid: number;
    version: string;
    startedAt: string;
  }): void;
  /** Only if it is still ours: another server may have taken over. */
  remove(pid: number): void;
}

/** As root, Postgres and the sandboxes run under other users, who must pass through but not look around. */
const dirMode = process.getuid?.() === 0 ? 0o711 : 0o700;

/** One level after the other: where a folder can never be (/proc), Node's own `recursive` tries for ever. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: dirMode });
  } catch (error) {
    if (!existsSync(path)) throw error; // somebody else made it in this moment
  }
}

export function createLocalFile(dataDir: string): LocalFile {
  const path = join(dataDir, 'local.json');
  const tokenPath = join(dataDir, 'local.token');
  const replace = (target: string, text: string): void => {
    const next = `${target}.${String(process.pid)}`;
    writeFileSync(next, text, { mode: 0o600 });
    renameSync(next, target);
  };
  return {
    prepare: () => {
      try {
        makeFolder(dataDir);
        // Looked at before its mode is touched: it may be a file of somebody's.
        if (!statSync(dataDir).isDirectory()) throw new Error('it is no folder');
        chmodSync(dataDir, dirMode);
        replace(join(dataDir, '.writable'), '');
        rmSync(join(dataDir, '.writable'));
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`BERTH_DATA_DIR: "${dataDir}" cannot be written (${reason})`, { cause });
      }
    },
    previousToken: () => {
      try {
        return readFileSync(tokenPath, 'utf8').trim();
      } catch {
        return undefined; // a first start, or somebody's clean-up: a fresh one is made
      }
    },
    write: (content) => {
      replace(tokenPath, `${content.token}\n`);
      replace(path, `${JSON.stringify(content, null, 2)}\n`);
    },
    remove: (pid) => {
      try {
        const held = JSON.parse(readFileSync(path, 'utf8')) as { pid?: unknown };
        if (held.pid === pid) rmSync(path);
      } catch {
        // Gone or unreadable: nobody can be misled by it.
      }
    },
  };
}
