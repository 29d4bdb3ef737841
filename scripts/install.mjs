// Makes node_modules hold what the lock file says, without install scripts. Runs on Node 20 with nothing installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const stampOf = (root) => join(root, 'node_modules', '.berth-lock');

const readText = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

/**
 * Nothing to do when the stamp carries the lock file's hash, or when what is installed (npm notes it) has every package that is needed at its
 * version. A full install, with the development packages, stays a full one.
 */
export function ensureInstalled(root, { development = false } = {}) {
  const text = readText(join(root, 'package-lock.json'));
  if (text === undefined)
    throw new Error(`there is no package-lock.json in ${root}: clone it again`);
  const kind = development ? 'all' : 'run';
  const hash = createHash('sha256').update(text).digest('hex');
  const stamp = readText(stampOf(root)) ?? '';
  if (stamp === `${hash} all` || stamp === `${hash} ${kind}`) return;

  const wanted = JSON.parse(text).packages;
  const noted = readText(join(root, 'node_modules', '.package-lock.json'));
  const installed = noted === undefined ? undefined : JSON.parse(noted).packages;
  const full = development || (installed !== undefined && hasDevelopment(installed));
  if (installed === undefined || !isComplete(wanted, installed, development)) npmCi(root, full);
  mkdirSync(join(root, 'node_modules'), { recursive: true }); // npm makes none for no packages
  writeFileSync(stampOf(root), `${hash} ${full ? 'all' : 'run'}`);
}

const hasDevelopment = (installed) => Object.values(installed).some((entry) => entry.dev === true);

/** Optional packages do not count: npm leaves out those of other platforms. */
function isComplete(wanted, installed, development) {
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') || entry.link) return true;
    if (entry.optional || entry.devOptional || entry.peer) return true;
    if (entry.dev && !development) return true;
    return installed[path]?.version === entry.version;
  });
}

function npmCi(root, full) {
  console.error(`berth: installing packages${full ? ', those for development too' : ''} …`);
  const args = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ];
  if (!full) args.push('--omit=dev');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Variables that an outer npm sets for its own run (a prefix, a workspace) must not reach this one.
  const env = { ...process.env };
  delete env.npm_config_prefix;
  delete env.npm_config_local_prefix;
  const run = spawnSync(npm, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env,
    shell: process.platform === 'win32',
  });
  if (run.error?.code === 'ENOENT')
    throw new Error('npm is not on PATH: install it together with Node');
  if (run.status !== 0)
    throw new Error('the packages could not be installed (npm ci failed, see above)');
}
