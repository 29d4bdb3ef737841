import { statfs } from 'node:fs/promises';
import type { Logger } from 'pino';

/** Below this the next write may fail: a journal's segment, a page of the database. */
const scarceBytes = 4 * 1024 * 1024;
const lookEveryMs = 2_000;

export interface DiskWatch extends AsyncDisposable {
  /** One sentence while a disk is full. */
  readonly problem: string | undefined;
}

/** Pure. What the folders' disks amount to. */
export function diskProblem(free: ReadonlyMap<string, number>): string | undefined {
  for (const [folder, bytes] of free)
    if (bytes < scarceBytes)
      return `The disk that holds ${folder} is full. Nothing is lost; work goes on when there is room again.`;
  return undefined;
}

/**
 * A full disk stops journals and database without a word: whoever writes waits. This says so, to everybody who works in a session at that moment,
 * and says when it is over. What cannot be stored now is stored then.
 */
export function watchDisk(options: {
  folders: readonly string[];
  logger: Pick<Logger, 'error' | 'info' | 'warn'>;
  /** To the sessions that somebody or something works in. */
  tell: (code: 'disk-full' | 'disk-free', text: string) => Promise<void>;
  freeBytes?: (folder: string) => Promise<number>;
  everyMs?: number;
}): DiskWatch {
  const { folders, logger, tell } = options;
  const freeBytes = options.freeBytes ?? freeBytesOf;
  let problem: string | undefined;

  async function look(): Promise<void> {
    const free = new Map<string, number>();
    for (const folder of folders) {
      const bytes = await freeBytes(folder).catch(() => undefined); // not made yet, or taken away: no disk that is full
      if (bytes !== undefined) free.set(folder, bytes);
    }
    const before = problem;
    problem = diskProblem(free);
    if (problem !== undefined && before === undefined) {
      logger.error({ free: Object.fromEntries(free) }, 'the disk is full');
      await tell('disk-full', problem);
    } else if (problem === undefined && before !== undefined) {
      logger.info('there is room on the disk again');
      await tell('disk-free', 'There is room on the disk again: work goes on.');
    }
  }
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking
      .then(look)
      .catch((error: unknown) => logger.warn({ err: error }, 'nobody could be told of the disk'));
  }, options.everyMs ?? lookEveryMs);
  timer.unref();
  return {
    get problem() {
      return problem;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await looking;
    },
  };
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
