// Python packages at exact versions, in a folder of their own outside the repository: Python's own package index has all of it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const uvVersion = '0.13.9';
const minutes10 = 600_000;

const run = (command, ...args) =>
  spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: minutes10 });
const lastLine = ({ stderr, error }) =>
  error?.message ?? stderr.toString().trim().split('\n').at(-1);

/** On the path, then those of pyenv, whose commands there refuse each version that is not chosen. */
function pythons(atLeast, below) {
  const named = ['python3'];
  for (let minor = below - 1; minor >= atLeast; minor--) named.push(`python3.${String(minor)}`);
  const versions = join(process.env.PYENV_ROOT || join(homedir(), '.pyenv'), 'versions');
  if (!existsSync(versions)) return named;
  return [...named, ...readdirSync(versions).map((name) => join(versions, name, 'bin', 'python3'))];
}

const suits = (atLeast, below) => (python) =>
  run(
    python,
    '-c',
    `import sys; sys.exit(not (3, ${String(atLeast)}) <= sys.version_info < (3, ${String(below)}))`,
  ).status === 0;

/** uv needs no venv module of Python's and is many times faster than pip. */
function findUv(python, cache) {
  if (run('uv', '--version').status === 0) return { command: 'uv' };
  const target = join(cache, `uv-${uvVersion}`);
  const command = join(target, 'bin', 'uv');
  if (!existsSync(command)) {
    const what = `uv==${uvVersion}`;
    const done = run(python, '-m', 'pip', 'install', '--quiet', '--target', target, what);
    if (done.status !== 0) return { reason: `pip could not fetch uv: ${lastLine(done)}` };
  }
  return { command };
}

const stamp = (folder) => join(folder, 'installed');
export const pythonPackagesAreIn = (folder) => existsSync(stamp(folder));

/** Null when they are there; else one line that says why not. `python`: of Python 3, from the first minor version to before the second. */
export function ensurePythonPackages({ folder, packages, python: [atLeast, below], begins }) {
  if (pythonPackagesAreIn(folder)) return null;
  const python = pythons(atLeast, below).find(suits(atLeast, below));
  if (python === undefined) return `it needs Python 3.${String(atLeast)} to 3.${String(below - 1)}`;
  const cache = dirname(folder);
  mkdirSync(cache, { recursive: true });
  const uv = findUv(python, cache);
  if (uv.command === undefined) return uv.reason;
  begins();
  rmSync(folder, { recursive: true, force: true });
  for (const args of [
    ['venv', '--quiet', '--python', python, folder],
    ['pip', 'install', '--quiet', '--python', join(folder, 'bin', 'python'), ...packages],
  ]) {
    const done = run(uv.command, ...args);
    if (done.status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    return `uv ${args[0]} failed: ${lastLine(done)}`;
  }
  // Last, so that a cut installation is begun again.
  writeFileSync(`${stamp(folder)}.part`, `${packages.join('\n')}\n`);
  renameSync(`${stamp(folder)}.part`, stamp(folder));
  return null;
}
