// Before `npm test`: everything that the tests need, installed and built. Quick when it is all there.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { isBuilt } from './sources.mjs';
import { ensureSystemTools, installers } from './test-tools.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
try {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) throw new Error(`needs Node 20 or newer; this is ${process.version}`);
  ensureInstalled(root, { development: true });
  const own = join(root, 'node_modules', '.bin', 'node');
  const node = existsSync(own) ? own : process.execPath;
  if (!isBuilt(root)) {
    const built = spawnSync(node, [join(root, 'scripts', 'build.mjs')], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    if (built.status !== 0) throw new Error('the build failed (see above)');
  }
  ensureSystemTools();
  for (const install of installers) await install(root);
} catch (error) {
  console.error(`pretest: ${error.message}`);
  process.exitCode = 1;
}
