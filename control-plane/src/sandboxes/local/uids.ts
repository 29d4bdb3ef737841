import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import path from 'node:path';

export const uidRange: { first: number; last: number } = { first: 200_000, last: 265_535 };

/** Pure. Ranges that /etc/subuid has given to users: their own sandboxes would be these uids. */
export function subordinateRanges(text: string): { first: number; last: number }[] {
  const ranges: { first: number; last: number }[] = [];
  for (const line of text.split('\n')) {
    const [, first, count] = line.split(':').map(Number);
    if (first !== undefined && count !== undefined && count > 0)
      ranges.push({ first, last: first + count - 1 });
  }
  return ranges;
}

/**
 * A host uid for one sandbox, held by a folder that only one can make: several control planes may share the machine.
 * A sandbox that root starts as root could write the kernel's settings.
 */
export function claimUid(claims: string, busy: (uid: number) => boolean): number {
  mkdirSync(claims, { recursive: true, mode: 0o700 });
  const taken = subordinateRanges(readSubordinates());
  for (let uid = uidRange.first; uid <= uidRange.last; uid++) {
    const range = taken.find((given) => uid >= given.first && uid <= given.last);
    if (range) {
      uid = range.last;
      continue;
    }
    try {
      mkdirSync(path.join(claims, String(uid)), { mode: 0o700 });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
      throw error;
    }
    if (!busy(uid)) return uid;
    // Held without a claim: leave ours in place so that nobody asks again.
  }
  throw new Error(
    `no free uid from ${String(uidRange.first)} to ${String(uidRange.last)}: see ${claims}`,
  );
}
export function releaseUid(claims: string, uid: number): void {
  try {
    rmdirSync(path.join(claims, String(uid)));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
function readSubordinates(): string {
  try {
    return readFileSync('/etc/subuid', 'utf8');
  } catch {
    return ''; // no such file: nothing is given away
  }
}
