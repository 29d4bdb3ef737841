import { setTimeout as pause } from 'node:timers/promises';
import { Problem } from '@berth/contract';
import type pg from 'pg';
import { isDiskFull, isTransient } from './log/sqlstate.ts';

/** What a statement needs: the pool, or a transaction's connection. */
export type Sql = Pick<pg.Pool, 'query'>;

/** A transaction holds SQL only: `work` awaits nothing else. */
export async function inTransaction<T>(
  pool: Pick<pg.Pool, 'connect'>,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((cause: unknown) => {
      broken = new Error('the transaction could not be rolled back', { cause });
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

const retryLimits = { firstMs: 20, maxMs: 1_000, forMs: 300_000 } as const;

/** For work that is safe to repeat: goes on trying while the database is away, up to five minutes. */
export async function throughOutages<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let delay: number = retryLimits.firstMs;
  let waited = 0;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || signal.aborted || waited > retryLimits.forMs) throw error;
      const wait = delay * (0.5 + Math.random() / 2);
      await pause(wait, undefined, { signal }).catch(() => undefined);
      waited += wait;
      delay = Math.min(delay * 2, retryLimits.maxMs);
    }
  }
}

type AsyncMethods<T> = { [K in keyof T]: T[K] };

/** A service whose calls fail with `not-ready` while the database is away, instead of with the driver's words. */
export function answeringNotReady<T extends object>(service: T): AsyncMethods<T> {
  return new Proxy(service, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return (...parameters: unknown[]): unknown => {
        const result: unknown = Reflect.apply(member, target, parameters);
        return result instanceof Promise ? result.catch(translate) : result;
      };
    },
  });
}
function translate(error: unknown): never {
  if (!isTransient(error)) throw error;
  const full = isDiskFull(error);
  const why = full
    ? 'The disk under the database is full: make room.'
    : 'The database does not answer.';
  throw new Problem('not-ready', `${why} Nothing was lost; try again.`, { cause: error });
}

export const noSession = (): Problem => new Problem('not-found', 'No such session.');

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const isUuid = (text: string): boolean => uuidPattern.test(text);
/** A cursor is the id of the last item of the page before. */
export function checkedCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined || isUuid(cursor)) return cursor;
  throw new Problem('invalid-request', 'The cursor is not one that this list gave out.', {
    errors: [{ pointer: '?cursor', detail: 'not a cursor' }],
  });
}
/** One more than asked for says whether there is a next page. */
export function pageOf<Row extends { id: string }, Item>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  return {
    items: items.map(view),
    nextCursor: rows.length > items.length ? (items.at(-1)?.id ?? null) : null,
  };
}
