import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCache } from '../../scripts/litellm.mjs';

/**
 * A data folder whose harnesses lie in the cache of the tests: Berth installs there what is missing, as at every first use, and the next run
 * finds it. `cached`: what was there before.
 */
export async function dataDirWithHarnesses(): Promise<{
  dataDir: string;
  cached: (harness: string) => boolean;
  /** How whoever runs the tests reaches the registry. */
  env: Record<string, string>;
}> {
  const harnesses = join(testCache(), 'harnesses');
  await mkdir(harnesses, { recursive: true });
  const before = new Set(await readdir(harnesses));
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-e2e-'));
  await symlink(harnesses, join(dataDir, 'harnesses'));
  return { dataDir, cached: (harness) => before.has(harness), env: registry() };
}

function registry(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env))
    if (
      value !== undefined &&
      /^(npm_config_.*|NODE_EXTRA_CA_CERTS|(https?|no)_proxy)$/i.test(name)
    )
      env[name] = value;
  const own = join(homedir(), '.npmrc');
  if (existsSync(own)) env['npm_config_userconfig'] ??= own;
  return env;
}
