import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { isBuilt } from '../../scripts/sources.mjs';

export const root = resolve(import.meta.dirname, '../..');
export const dist = (...path: string[]): string => join(root, 'dist', ...path);

/** What is measured is what the sources say now. */
export function ensureBuilt(): void {
  if (isBuilt(root)) return;
  const built = spawnSync(
    process.execPath,
    [join(root, 'scripts', 'build.mjs'), ...process.argv.filter((word) => word === '--partial')],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (built.status !== 0) throw new Error('the build failed (see above)');
}
