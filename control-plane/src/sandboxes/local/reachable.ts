import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
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
 * Where the uid of a sandbox finds this folder or program: where it really is, or, when that is closed to others (below /root, say), a copy under
 * `shared`. The copy is made once for each state of the original.
 */
export function publish(named: string, shared: string): string {
  const original = realpathSync(named);
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
  duplicate(original, path.join(beside, path.basename(original)));
  renameSync(beside, folder);
  return copy;
}

/** By hard links where the file system has them: an agent is hundreds of megabytes, and everything here waits for it. */
function duplicate(from: string, to: string): void {
  const found = lstatSync(from);
  if (found.isDirectory()) {
    mkdirSync(to, { mode: 0o755 });
    for (const name of readdirSync(from)) duplicate(path.join(from, name), path.join(to, name));
  } else if (found.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to);
  } else if (found.isFile()) {
    try {
      linkSync(from, to);
    } catch {
      copyFileSync(from, to); // another disk, or one without links
    }
  }
}
