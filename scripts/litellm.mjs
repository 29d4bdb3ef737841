// A real LiteLLM for the tests, at exact versions, in a cache outside the repository.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensurePythonPackages, pythonPackagesAreIn } from './python-packages.mjs';

// Without `prisma` a request that has no key gets a 500 instead of its 401, although no database is used.
const packages = ['litellm[proxy]==1.106.2', 'prisma==0.15.0'];

/** What tests download once and keep: hundreds of megabytes. Not below the temporary directory, where Codex refuses to live. */
export const testCache = () =>
  process.env.BERTH_TEST_CACHE || join(homedir(), '.cache', 'berth-tests');
const folder = () => join(testCache(), 'litellm-1.106.2');

/** Null when it is there; else one line that says why the tests that need it are left out. */
export function litellmMissing() {
  return pythonPackagesAreIn(folder())
    ? null
    : 'LiteLLM is not installed: run "npm test" once (see pretest)';
}
export const litellmCommand = () => join(folder(), 'bin', 'litellm');

export function ensureLitellm() {
  const why = ensurePythonPackages({
    folder: folder(),
    packages,
    python: [10, 15],
    begins: () => console.error('pretest: installing LiteLLM (about 600 MB) …'),
  });
  if (why !== null)
    console.error(`pretest: no LiteLLM, the tests through a real gateway are left out: ${why}`);
}
