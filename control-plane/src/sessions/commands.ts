import type pg from 'pg';
import type { Clock } from '../clock.ts';
import type { NewId } from '../ids.ts';
import type { Hints } from '../store/index.ts';
import * as store from './commands.store.ts';
import type { Core } from './core.ts';
import { turnQueued } from './entries.ts';
import { countUsage } from './facts.store.ts';
import type { Entry } from './log/entry.ts';
import { Elsewhere, queue, type Owned, type RunOptions } from './owner.ts';
import type { Sql } from './sql.ts';
import { readTurn, turnHasEvent } from './turns.store.ts';

export const commandChannel = 'session_command';

/**
 * What this process has done to the rows of a session that another one writes. The row says that there is something to look at, and what is to be said about it;
 * a hint says so at once, and the owner's slow poll finds what no hint told.
 */
export interface Commands {
  leave(sessionId: string, entries?: readonly Entry[], sql?: Sql): Promise<void>;
  /** A turn that was stored here: that it is queued is to be said unless it was, and before what else is left about it. */
  leaveQueued(sessionId: string, turnId: string): Promise<void>;
}

export function createCommands(options: {
  pool: pg.Pool;
  hints: Pick<Hints, 'publish'>;
  clock: Clock;
  newId: NewId;
}): Commands {
  const { pool, hints, clock, newId } = options;
  return {
    async leaveQueued(sessionId, turnId) {
      await store.insertCommand(pool, newId(), sessionId, clock.now(), null, turnId);
      hints.publish(commandChannel, sessionId);
    },
    async leave(sessionId, entries = [], sql = pool) {
      for (const entry of entries.length === 0 ? [null] : entries)
        await store.insertCommand(sql, newId(), sessionId, clock.now(), entry);
      // Sent with the hints of the next milliseconds, after whatever transaction this is part of; too early, and the poll comes after.
      hints.publish(commandChannel, sessionId);
    },
  };
}

/** Where the session is written, the job; elsewhere the rows stand as they are, and what else there is to say is left for its owner. False: left. */
export async function atOwner(
  core: Core,
  sessionId: string,
  job: (owned: Owned) => Promise<void>,
  options: RunOptions & { otherwise?: () => Promise<readonly Entry[]> | readonly Entry[] } = {},
): Promise<boolean> {
  const { otherwise, ...run } = options;
  try {
    await core.owner.run(sessionId, job, run);
    return true;
  } catch (error) {
    if (!(error instanceof Elsewhere)) throw error;
    await core.commands.leave(sessionId, await otherwise?.());
    return false;
  }
}

/** Appends and waits for the commit; elsewhere the events are left for the owner to say. False: left. */
export async function sayOrLeave(
  core: Core,
  sessionId: string,
  entries: (owned: Owned | null) => readonly Entry[],
): Promise<boolean> {
  try {
    await core.owner.append(sessionId, entries);
    return true;
  } catch (error) {
    if (!(error instanceof Elsewhere)) throw error;
    await core.commands.leave(sessionId, entries(null));
    return false;
  }
}

/** Within the owner's chain: says what others left. Each row is deleted when its event is in the log. */
export async function takeCommands(core: Core, { sessionId, log }: Owned): Promise<void> {
  const rows = await store.readCommands(core.pool, sessionId);
  if (rows.length === 0) return;
  const entries: Entry[] = [];
  const saysQueued = (turnId: string): boolean =>
    entries.some((entry) => entry.kind === 'turn.queued' && entry.turnId === turnId);
  for (const { kind, payload, at, turn_id: turnId, told } of rows) {
    if (kind !== null && payload !== null) {
      if (!told) entries.push({ kind, payload, at, ...(turnId === null ? {} : { turnId }) });
    } else if (
      turnId !== null &&
      !saysQueued(turnId) &&
      !(await turnHasEvent(core.pool, sessionId, turnId, 'turn.queued'))
    ) {
      const turn = await readTurn(core.pool, sessionId, turnId);
      if (turn !== null) entries.push(turnQueued(turn, at));
    }
  }
  if (entries.length > 0) {
    const lost = await queue(log, entries);
    if (lost !== null) throw lost;
  }
  if (rows.some(({ kind }) => kind === 'usage')) await countUsage(core.pool, sessionId);
  await store.deleteCommands(
    core.pool,
    rows.map(({ id }) => id),
  );
}
