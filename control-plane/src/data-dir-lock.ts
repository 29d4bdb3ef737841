import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';

const limits = { attempts: 20, pauseMs: 100 } as const;
/** SQLite's code for a lock that somebody else has. */
const busy = 5;

/**
 * One process makes sandboxes in a data directory: its runner, its sockets and `local.json` are one process's, whatever database it works on.
 * The lock is the kernel's (fcntl, which Node itself offers only under SQLite): it ends with its holder, however that ends, and there is nothing on disk
 * that could outlive it. Children do not inherit it, so the runner, which outlives us, does not hold it either.
 * Throws one sentence when another process has it and keeps it.
 */
export async function lockDataDir(
  dataDir: string,
  logger: Pick<Logger, 'warn'>,
): Promise<Disposable> {
  const path = join(dataDir, 'lock');
  // SQLite would make it readable for others, and who can read it can lock it.
  closeSync(openSync(path, 'a', 0o600));
  for (let attempt = 1; ; attempt += 1) {
    const taken = take(path);
    if (taken.kind === 'ours') return { [Symbol.dispose]: () => taken.file.close() };
    if (taken.kind === 'impossible') {
      // Some network file systems have no locks. That is no reason not to serve.
      logger.warn({ err: taken.error }, 'the data directory cannot be locked');
      return { [Symbol.dispose]: () => undefined };
    }
    if (attempt === limits.attempts)
      throw new Error(`another instance is using ${dataDir}: stop it, or set BERTH_DATA_DIR`);
    await pause(limits.pauseMs); // it may just be leaving
  }
}

type Taken =
  | { kind: 'ours'; file: DatabaseSync }
  | { kind: 'theirs' }
  | { kind: 'impossible'; error: unknown };

function take(path: string): Taken {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    // Without a journal nothing is ever written: a full disk does not stop a start.
    file.exec('pragma journal_mode = off; begin exclusive');
    return { kind: 'ours', file };
  } catch (error) {
    file?.close();
    const code: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined;
    return code === busy ? { kind: 'theirs' } : { kind: 'impossible', error };
  }
}
