// What the box and e2e tests run besides our own programs. Installed by pretest where that is possible, else named in one line.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { codeServerRunsHere, ensureCodeServer } from './code-server.mjs';
import { ensureLitellm } from './litellm.mjs';
import { ensureProbes, ensureSchemathesis } from './probes.mjs';

/** [program, Debian package] */
export const systemTools = [
  ['bwrap', 'bubblewrap'],
  ['chromium', 'chromium'],
  ['git', 'git'],
  ['openssl', 'openssl'],
  ['curl', 'curl'],
  ['pip3', 'python3-pip'],
  ['vim', 'vim'],
  ['nvim', 'neovim'],
  ['htop', 'htop'],
  ['mc', 'mc'],
  ['less', 'less'],
  ['tmux', 'tmux'],
  ['vttest', 'vttest'],
];

/** Further installers, each `async (root) => void` and quick when there is nothing to do: into a cache outside the repository. */
export const installers = [
  async (root) => {
    if (codeServerRunsHere()) ensureCodeServer(root);
    else console.error('pretest: the tests in an editor run on Linux x64 only');
  },
  ensureLitellm,
  ensureProbes,
  ensureSchemathesis,
];

const onPath = (name) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

const isDebian = () =>
  existsSync('/etc/os-release') &&
  /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'));

export function ensureSystemTools() {
  const missing = systemTools.filter(([program]) => !onPath(program)).map(([, name]) => name);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !isDebian() || !onPath('apt-get')) {
    console.error(
      `pretest: tests of the sandbox and of terminals need more: ${isDebian() ? `sudo ${command}` : missing.join(' ')}`,
    );
    return;
  }
  console.error(`pretest: installing ${missing.join(' ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) =>
    spawnSync('apt-get', ['-q', ...args], { stdio: ['ignore', 'ignore', 2], env }).status === 0;
  const install = () => apt('install', '-y', '--no-install-recommends', ...missing);
  // The lists may be missing (a slim image) or old.
  if (!install() && !(apt('update') && install())) {
    throw new Error(`these packages could not be installed: ${missing.join(' ')}`);
  }
}
