import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '@berth/contract';
import type { Clock } from '../clock.ts';
import type { Actor } from '../identity/index.ts';
import type { NewId } from '../ids.ts';
import type { Sql, StoredReply } from './idempotency.store.ts';
import * as store from './idempotency.store.ts';
import { limits } from './limits.ts';
import { invalid } from './refusals.ts';
import { isUuid } from './validate.ts';

export type Idempotency = ReturnType<typeof createIdempotency>;

/**
 * One key, one execution: the first request with it runs, every other one gets the first one's answer. A refused request holds no key. The id of what it
 * creates is stored with the key, before anything is created: a process that dies in between leaves a key whose next holder creates the same thing, not another.
 */
export function createIdempotency({ sql, clock, newId }: { sql: Sql; clock: Clock; newId: NewId }) {
  const ago = (ms: number) => new Date(clock.now() - ms);

  async function claim(
    key: store.Key,
    requestHash: Uint8Array,
    signal: AbortSignal,
  ): Promise<Exclude<store.Claim, { kind: 'running' }>> {
    const giveUpAt = clock.now() + limits.idempotencyWaitMs;
    for (;;) {
      const claimed = await store.claimKey(sql, key, {
        requestHash,
        newId: newId(),
        now: new Date(clock.now()),
        deadBefore: ago(limits.idempotencyWaitMs),
        expiredBefore: ago(limits.idempotencyLifeMs),
      });
      if (claimed.kind === 'claimed') return claimed;
      if (!Buffer.from(claimed.requestHash).equals(requestHash)) {
        throw new Problem('idempotency-key-reused', 'Make a key for each request of its own.');
      }
      if (claimed.kind === 'done') return claimed;
      if (clock.now() >= giveUpAt) break;
      await sleep(limits.idempotencyLookMs, undefined, { signal });
    }
    throw new Problem('request-in-progress', 'The first request with this key has not ended yet.');
  }

  return {
    async once(
      actor: Actor,
      key: string,
      request: { method: string; url: string; body: Uint8Array },
      signal: AbortSignal,
      run: (createdId: string) => Promise<StoredReply>,
    ): Promise<{ reply: StoredReply; replayed: boolean }> {
      if (!isUuid(key)) {
        throw invalid('The idempotency key is not a UUID.', [
          { pointer: 'Idempotency-Key', detail: 'must be a UUID' },
        ]);
      }
      const id = { teamId: actor.teamId, userId: actor.userId, key: key.toLowerCase() };
      const hash = createHash('sha256').update(`${request.method} ${request.url}\n`);
      const claimed = await claim(id, hash.update(request.body).digest(), signal);
      if (claimed.kind === 'done') return { reply: claimed.reply, replayed: true };
      try {
        const reply = await run(claimed.createdId);
        await store.settleKey(sql, id, reply);
        return { reply, replayed: false };
      } catch (error) {
        if (refused(error)) await store.releaseKey(sql, id);
        else await store.abandonKey(sql, id, ago(limits.idempotencyWaitMs)).catch(() => undefined); // it is taken for dead in its time
        throw error;
      }
    },
    sweep: () => store.sweepKeys(sql, ago(limits.idempotencyLifeMs)),
  };
}

/** Nothing was done. A failure of ours, or of the database, may have come after what was to be created. */
const refused = (error: unknown): boolean => error instanceof Problem && error.status < 500;
