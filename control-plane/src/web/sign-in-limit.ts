import type { Clock } from '../clock.ts';
import type { Sql } from './idempotency.store.ts';
import { limits } from './limits.ts';
import { countFailure, sweepFailures } from './sign-in-limit.store.ts';

const { failedSignIns, failedSignInsWindowMs: windowMs } = limits;

/** Pure. How long to wait after so many failures in a window; null: there were not too many. */
export function waitAfter(
  { since, count }: { since: number; count: number },
  now: number,
): { retryAfterMs: number } | null {
  return count <= failedSignIns ? null : { retryAfterMs: since + windowMs - now };
}

/** Counts failed sign-ins by address in a fixed window, for all processes together. `failed` says how long to wait once there were too many. */
export function createSignInLimit({ sql, clock }: { sql: Sql; clock: Clock }) {
  return {
    async failed(address: string): Promise<{ retryAfterMs: number } | null> {
      const now = clock.now();
      const { since, count } = await countFailure(sql, address, new Date(now), windowMs);
      return waitAfter({ since: since.getTime(), count }, now);
    },
    sweep: () => sweepFailures(sql, new Date(clock.now() - windowMs)),
  };
}
