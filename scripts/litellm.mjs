// A real LiteLLM for the tests, at exact versions, in a cache outside the repository: Python's own package index has all of it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Without `prisma` a request that has no key gets a 500 instead of its 401, although no database is used.
const packages = ['litellm[proxy]==1.106.2', 'prisma==0.15.0'];
const uvVersion = '0.13.9';
const pythons = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

/** What tests download once and keep: hundreds of megabytes. Not below the temporary directory, where Codex refuses to live. */
export const testCache = () =>
  process.env.BERTH_TEST_CACHE || join(homedir(), '.cache', 'berth-tests');
const folder = () => join(testCache(), 'litellm-1.106.2');
const stamp = () => join(folder(), 'installed');

const run = (command, ...args) =>
  spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 600_000 });
const lastLine = ({ stderr, error }) =>
  error?.message ?? stderr.toString().trim().split('\n').at(-1);

const suits = (python) =>
  run(python, '-c', 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))').status === 0;

/** uv needs no venv module of Python's and is many times faster than pip. */
function findUv(python) {
  if (run('uv', '--version').status === 0) return { command: 'uv' };
  const target = join(testCache(), `uv-${uvVersion}`);
  const command = join(target, 'bin', 'uv');
  if (!existsSync(command)) {
    const what = `uv==${uvVersion}`;
    const done = run(python, '-m', 'pip', 'install', '--quiet', '--target', target, what);
    if (done.status !== 0) return { reason: `pip could not fetch uv: ${lastLine(done)}` };
  }
  return { command };
}

/** Null when it is there; else one line that says why the tests that need it are left out. */
export function litellmMissing() {
  return existsSync(stamp()) ? null : 'LiteLLM is not installed: run "npm test" once (see pretest)';
}
export const litellmCommand = () => join(folder(), 'bin', 'litellm');

export function ensureLitellm() {
  if (existsSync(stamp())) return;
  const skipped = (why) =>
    console.error(`pretest: no LiteLLM, the tests through a real gateway are left out: ${why}`);
  const python = pythons.find(suits);
  if (python === undefined) {
    skipped('it needs Python 3.10 to 3.14');
    return;
  }
  mkdirSync(testCache(), { recursive: true });
  const uv = findUv(python);
  if (uv.command === undefined) {
    skipped(uv.reason);
    return;
  }
  console.error('pretest: installing LiteLLM (about 600 MB) …');
  const into = folder();
  rmSync(into, { recursive: true, force: true });
  for (const args of [
    ['venv', '--quiet', '--python', python, into],
    ['pip', 'install', '--quiet', '--python', join(into, 'bin', 'python'), ...packages],
  ]) {
    const done = run(uv.command, ...args);
    if (done.status === 0) continue;
    rmSync(into, { recursive: true, force: true });
    skipped(`uv ${args[0]} failed: ${lastLine(done)}`);
    return;
  }
  // Last, so that a cut installation is begun again.
  writeFileSync(`${stamp()}.part`, `${packages.join('\n')}\n`);
  renameSync(`${stamp()}.part`, stamp());
}
