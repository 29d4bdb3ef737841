import { setTimeout as pause } from 'node:timers/promises';

/** Waits for a condition, with a limit. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = 10_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== false && found !== null && found !== undefined) return found;
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`);
    await pause(3);
  }
}
