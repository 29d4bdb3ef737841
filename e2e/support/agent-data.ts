import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCache } from '../../scripts/litellm.mjs';

/**
 * A data folder whose harnesses lie in the cache of the tests: Berth installs there what is missing, as at every first use, and the next run
 * finds it. `cached`: what was there before.
 */
export async function dataDirWithHarnesses(): Promise<{
  dataDir: string;
  cached: (harness: string) => boolean;
}> {
  const harnesses = join(testCache(), 'harnesses');
  await mkdir(harnesses, { recursive: true });
  const before = new Set(
    ['opencode', 'codex'].filter((harness) => existsSync(join(harnesses, harness))),
  );
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-e2e-'));
  await symlink(harnesses, join(dataDir, 'harnesses'));
  return { dataDir, cached: (harness) => before.has(harness) };
}
