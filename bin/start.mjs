#!/usr/bin/env node
// `npm start`: installs what is missing, builds what is stale, and runs the control plane. Plain JavaScript for Node 20, with nothing installed.
// Standard output belongs to the control plane (its one line "berth ready …"): everything here goes to standard error.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from '../scripts/install.mjs';
import { isBuilt } from '../scripts/sources.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function fail(sentence) {
  console.error(`berth: ${sentence}`);
  process.exit(1);
}

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) fail(`needs Node 20 or newer to start; this is ${process.version}`);

try {
  ensureInstalled(root);
} catch (error) {
  fail(error.message);
}

/** The Node that everything runs on: from the registry on Linux, else the one that runs this. */
function projectNode() {
  const installed = join(
    root,
    'node_modules',
    `node-${process.platform}-${process.arch}`,
    'bin',
    'node',
  );
  if (existsSync(installed)) return installed;
  if (major < 22) {
    fail(
      `has no Node of its own for ${process.platform}-${process.arch}: start it with Node 22 or newer (24 is best); this is ${process.version}`,
    );
  }
  return process.execPath;
}

const node = projectNode();
if (!isBuilt(root)) {
  console.error('berth: building …');
  const built = spawnSync(node, [join(root, 'scripts', 'build.mjs')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (built.status !== 0) fail('the build failed (see above)');
}

const main = join(root, 'dist', 'control-plane', 'main.mjs');
const child = spawn(node, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    // Ctrl-C reaches the whole foreground group by itself; a second one would look like impatience.
    if (signal === 'SIGINT' && isForeground()) return;
    child.kill(signal);
  });
}
child.on('error', (error) => fail(`could not be started: ${error.message}`));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

/** The terminal's foreground process group is ours: see proc(5), fields 5 and 8. */
function isForeground() {
  if (process.platform !== 'linux') return Boolean(process.stdin.isTTY);
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return fields[2] === fields[5];
}
