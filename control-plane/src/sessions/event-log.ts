import { Problem } from '@berth/contract';
import type pg from 'pg';
import type { Actor } from '../identity/index.ts';
import { readBlob } from './facts.store.ts';
import type { Feeds } from './log/feeds.ts';
import type { EventReader } from './log/replay.ts';
import type { EventLog } from './services.ts';
import { readSession } from './sessions.store.ts';
import { isUuid, noSession } from './sql.ts';

export function createEventLog({
  pool,
  reader,
  feeds,
}: {
  pool: pg.Pool;
  reader: EventReader;
  feeds: Feeds;
}): EventLog {
  async function lastSeq(actor: Actor, sessionId: string): Promise<number> {
    const row = isUuid(sessionId) ? await readSession(pool, actor, sessionId) : null;
    if (row === null) throw noSession();
    return row.last_seq;
  }

  return {
    async page(actor, sessionId, query) {
      const last = await lastSeq(actor, sessionId);
      if ('after' in query)
        return { items: await reader.after(sessionId, query.after, query.limit), lastSeq: last };
      const before = 'before' in query ? query.before : Number.MAX_SAFE_INTEGER;
      const limit = 'before' in query ? query.limit : query.tail;
      return { items: await reader.before(sessionId, before, limit), lastSeq: last };
    },

    async subscribe(actor, sessionId, from, logReader) {
      const last = await lastSeq(actor, sessionId);
      let after = from.after ?? null;
      if (after === null && from.tail !== undefined && from.tail > 0) {
        // Where the tail begins; its rows are read by the replay itself.
        const tail = await reader.before(sessionId, Number.MAX_SAFE_INTEGER, from.tail);
        after = (tail[0]?.seq ?? last + 1) - 1;
      }
      return feeds.subscribe(sessionId, after, logReader);
    },

    async blob(actor, sessionId, blobId) {
      const known = isUuid(sessionId) && isUuid(blobId);
      const blob = known ? await readBlob(pool, actor.teamId, sessionId, blobId) : null;
      if (blob === null) throw new Problem('not-found', 'No such output.');
      return blob;
    },
  };
}
