import { randomFillSync } from 'node:crypto';
import type { Clock } from './clock.ts';

/** UUIDv7 (RFC 9562): 48 bits of milliseconds, then random; sorts by time of birth. */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  const time = nowMs.toString(16).padStart(12, '0');
  const hex = Buffer.from(random).toString('hex');
  const variant = ((Number.parseInt(hex.charAt(3), 16) & 0x3) | 0x8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`;
}

export type NewId = () => string;
const randomBytesOfId = 10;

/** Random bytes are fetched for many ids at once: each fetch is a system call, and every request and event has an id. */
export function createIds(clock: Clock): NewId {
  const random = Buffer.alloc(randomBytesOfId * 128);
  let used = random.length;
  return () => {
    if (used === random.length) {
      randomFillSync(random);
      used = 0;
    }
    const own = random.subarray(used, (used += randomBytesOfId));
    return uuidV7(clock.now(), own);
  };
}
