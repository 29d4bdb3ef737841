import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';

export type NewId = () => string;

/** UUIDv7 (RFC 9562): 48 bits of milliseconds, then random; sorts by time of birth. */
export const createIds =
  (clock: Clock): NewId =>
  () => {
    const bytes = randomBytes(16);
    bytes.writeUIntBE(clock.now(), 0, 6);
    bytes[6] = (bytes.readUInt8(6) & 0x0f) | 0x70;
    bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
