import { hash, timingSafeEqual } from 'node:crypto';

/** `berthr_<runner id>_<secret>`: the id finds the row, the secret's hash proves it. */
const shape =
  /^berthr_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

export interface Credential {
  runnerId: string;
  hash: Buffer<ArrayBuffer>;
}

export function makeCredential(runnerId: string, random: Buffer): string {
  return `berthr_${runnerId}_${random.toString('base64url')}`;
}

/** Null: not a credential of a runner. */
export function readCredential(text: string): Credential | null {
  const [, runnerId, secret] = shape.exec(text) ?? [];
  if (runnerId === undefined || secret === undefined) return null;
  return { runnerId, hash: hash('sha256', secret, 'buffer') };
}

export function sameHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** The token of an `Authorization` header; null: none, or of another scheme. */
export function bearer(header: string | undefined): string | null {
  return /^Bearer ([^\s]+)$/i.exec(header ?? '')?.[1] ?? null;
}
