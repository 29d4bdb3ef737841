import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Store } from './store/index.ts';

const limits = { lookMs: 500, waitMs: 10_000 } as const;
/** Of advisory locks of this database, ours. */
const lockId = 0x62657274;

/**
 * One process of a database makes its sandboxes. The lock is held by a connection: it ends with the process, and is taken again when the server was away.
 * Throws one sentence when another process has it and keeps it.
 */
export async function takeWorkerLock(options: {
  store: Pick<Store, 'connect'>;
  logger: Logger;
}): Promise<AsyncDisposable> {
  const { store, logger } = options;
  const stopped = new AbortController();
  let connection: Awaited<ReturnType<Store['connect']>> | undefined;
  let again = Promise.resolve();

  async function take(): Promise<boolean> {
    const client = await store.connect('worker');
    const { rows } = await client
      .query<{ ours: boolean }>('select pg_try_advisory_lock($1) as ours', [lockId])
      .catch(async (error: unknown) => {
        await client.end();
        throw error;
      });
    if (rows[0]?.ours !== true) {
      await client.end();
      return false;
    }
    connection = client;
    client.once('end', () => {
      if (stopped.signal.aborted) return;
      again = keepTaking();
    });
    return true;
  }
  async function keepTaking(): Promise<void> {
    while (!stopped.signal.aborted) {
      await pause(limits.lookMs, undefined, { signal: stopped.signal }).catch(() => undefined);
      const taken = await take().catch(() => null); // the server is away: its own logs say so
      if (taken === true) return;
      if (taken === false) logger.error('another process took the sandboxes of this database over');
    }
  }

  const deadline = AbortSignal.timeout(limits.waitMs);
  while (!(await take())) {
    if (deadline.aborted)
      throw new Error(
        'another process makes the sandboxes of this database: start this one with BERTH_ROLES=web, or stop the other one first',
      );
    await pause(limits.lookMs);
  }
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await again;
      await connection?.end().catch(() => undefined); // gone with the server
    },
  };
}
