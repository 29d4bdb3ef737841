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
const counterMax = 0xfff;

/**
 * Each sorts behind all before it from here, also within one millisecond and when the clock is set back: its first twelve random bits count up
 * (RFC 9562, 6.2, method 1). Random bytes are fetched for many ids at once: each fetch is a system call, and every request and event has an id.
 */
export function createIds(clock: Clock): NewId {
  const random = Buffer.alloc(randomBytesOfId * 128);
  let used = random.length;
  let ms = -1;
  let counter = 0;
  return () => {
    if (used === random.length) {
      randomFillSync(random);
      used = 0;
    }
    const own = random.subarray(used, (used += randomBytesOfId));
    const drawn = own.readUInt16BE(0);
    counter += 1;
    if (clock.now() > ms || counter > counterMax) {
      ms = Math.max(clock.now(), ms + 1);
      counter = drawn >> 5; // eleven bits: as much room above it
    }
    own.writeUInt16BE((counter << 4) | (drawn & 0xf), 0);
    return uuidV7(ms, own);
  };
}
