// What the programs are built from, as one hash. Names, sizes and times, not contents: it runs at every start.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const roots = [
  'bin',
  'client',
  'control-plane',
  'extension',
  'harnesses',
  'webview',
  'scripts',
  'package-lock.json',
  'LICENSE',
  'CHANGELOG.md',
];
const skipped = new Set(['node_modules', 'dist', 'testing']);
const test = /\.test\.tsx?$/;

export const stampFile = 'dist/stamp';

export function sourceHash(root) {
  const hash = createHash('sha256').update(process.arch);
  const visit = (path) => {
    const info = statSync(join(root, path), { throwIfNoEntry: false });
    if (!info) return;
    if (!info.isDirectory()) {
      hash.update(`${path}\0${info.size}\0${Math.trunc(info.mtimeMs)}\n`);
      return;
    }
    for (const name of readdirSync(join(root, path)).sort()) {
      if (!skipped.has(name) && !test.test(name)) visit(join(path, name));
    }
  };
  for (const path of roots) visit(path);
  return hash.digest('hex');
}

export function isBuilt(root) {
  try {
    return readFileSync(join(root, stampFile), 'utf8') === sourceHash(root);
  } catch {
    return false; // never built
  }
}
