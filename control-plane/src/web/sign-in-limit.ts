import type { Clock } from '../clock.ts';
import { limits } from './limits.ts';

/** Counts failed sign-ins by address in a fixed window. `failed` says how long to wait once there were too many. */
export function createSignInLimit(clock: Clock) {
  const windows = new Map<string, { from: number; count: number }>();
  return {
    failed(address: string): { retryAfterMs: number } | null {
      const now = clock.now();
      let window = windows.get(address);
      if (window === undefined || now - window.from >= limits.failedSignInsWindowMs) {
        window = { from: now, count: 0 };
        // Set anew, so that the map's order is by age and the first is the oldest.
        windows.delete(address);
        windows.set(address, window);
        const oldest = windows.keys().next().value;
        if (windows.size > limits.addresses && oldest !== undefined) windows.delete(oldest);
      }
      window.count += 1;
      if (window.count <= limits.failedSignIns) return null;
      return { retryAfterMs: window.from + limits.failedSignInsWindowMs - now };
    },
  };
}
