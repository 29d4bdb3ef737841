import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import path from 'node:path';

/** Others may enter this folder, and all above it: so may the uid of a sandbox. */
export function reachable(file: string): boolean {
  for (let at = file; ; at = path.dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (!found || (found.mode & (found.isDirectory() ? 0o1 : 0o4)) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

/**
 * Where the uid of a sandbox finds this folder or program: where it is, or, when that is closed to others (below /root, say), a copy under `shared`.
 * The copy is made once for each state of the original.
 */
export function publish(original: string, shared: string): string {
  if (reachable(original)) return original;
  const found = statSync(original);
  const state = createHash('sha256')
    .update(`${original}\0${String(found.mtimeMs)}\0${String(found.ino)}`)
    .digest('hex')
    .slice(0, 16);
  const folder = path.join(shared, state);
  const copy = path.join(folder, path.basename(original));
  if (existsSync(copy)) return copy;
  mkdirSync(shared, { recursive: true, mode: 0o755 });
  const beside = `${folder}.part`;
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside, { mode: 0o755 });
  cpSync(original, path.join(beside, path.basename(original)), {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  });
  renameSync(beside, folder);
  return copy;
}
