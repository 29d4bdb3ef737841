// `npm run editor [folder]`: VS Code in a browser with the extension as it was built, on a free port. Ends with Ctrl+C.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAll } from './build.mjs';
import { codeServerPaths, codeServerRunsHere, ensureCodeServer } from './code-server.mjs';
import { isBuilt } from './sources.mjs';

const firstSettings = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  // Else it offers to open every port of every sandbox in the browser.
  'remote.autoForwardPorts': false,
};
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// npm changes to the repository; the person means the folder they stand in.
const folder = resolve(process.env.INIT_CWD ?? process.cwd(), process.argv[2] ?? '.');

try {
  if (!codeServerRunsHere())
    throw new Error(
      `this needs Linux on x64. Elsewhere: code --install-extension ${join(root, 'dist/berth.vsix')}`,
    );
  if (!existsSync(folder)) throw new Error(`${folder} is not there`);
  if (!existsSync(join(root, 'dist/berth.vsix')) || !isBuilt(root)) await buildAll();
  ensureCodeServer(root);
  start();
} catch (error) {
  console.error(`editor: ${error.message}`);
  process.exitCode = 1;
}

function start() {
  const { node, entry, folder: cache } = codeServerPaths();
  const data = join(cache, '..', 'editor');
  const settings = join(data, 'User', 'settings.json');
  mkdirSync(dirname(settings), { recursive: true });
  if (!existsSync(settings)) writeFileSync(settings, `${JSON.stringify(firstSettings, null, 2)}\n`);
  const places = ['--user-data-dir', data, '--extensions-dir', join(data, 'extensions')];
  const vsix = join(root, 'dist', 'berth.vsix');
  const env = { ...process.env, HOME: homedir() };
  const installed = spawnSync(node, [entry, ...places, '--install-extension', vsix, '--force'], {
    env,
    stdio: ['ignore', 'ignore', 2],
  });
  if (installed.status !== 0) throw new Error(`${vsix} could not be installed`);
  const child = spawn(
    node,
    [
      ...[entry, ...places, '--bind-addr', '127.0.0.1:0', '--auth', 'none'],
      ...['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'],
      ...['--disable-getting-started-override', folder],
    ],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  let ready = false;
  const read = (chunk) => {
    if (ready) return;
    said += chunk.toString();
    const url = /HTTP server listening on (http:\/\/[\d.]+:\d+)/.exec(said)?.[1];
    if (!url) return;
    ready = true;
    console.log(`editor ready ${url}/?folder=${encodeURIComponent(folder)}`);
    console.error('Everybody on this machine can open it. Ctrl+C ends it.');
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  child.on('exit', (code) => {
    if (!ready) console.error(said);
    process.exitCode = code ?? 0;
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
}
