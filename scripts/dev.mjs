// `npm run dev`: builds, runs the control plane with something to look at, and does both again on every change.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, watch } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { buildAll } from './build.mjs';
import { seed } from './seed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const main = join(root, 'dist/control-plane/main.mjs');
const folders = ['bin', 'client', 'control-plane', 'extension', 'harnesses', 'webview'];
/** Editors write a file in several steps. */
const settleMs = 100;

let child;
let wanted = false;
let busy = false;
let ending = false;

async function stopChild() {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function cycle() {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted && !ending) {
    wanted = false;
    try {
      await buildAll({ partial: true });
    } catch (error) {
      console.error(`dev: ${error.message}; the last good build runs on`);
      continue;
    }
    if (wanted || !existsSync(main)) continue;
    await stopChild();
    if (!ending) run();
  }
  busy = false;
}

function run() {
  child = spawn(process.execPath, ['--enable-source-maps', main], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    if (String(chunk).startsWith('berth ready')) seedOnce();
  });
}

let seeded = false;
async function seedOnce() {
  if (seeded) return;
  seeded = true;
  const data =
    process.env.BERTH_DATA_DIR ??
    join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'berth');
  try {
    if (await seed(JSON.parse(readFileSync(join(data, 'local.json'), 'utf8'))))
      console.error('dev: an empty server: made some sessions to look at');
  } catch (error) {
    console.error(`dev: no sessions were made: ${error.message}`);
  }
}

let timer;
for (const folder of folders) {
  watch(join(root, folder), { recursive: true }, (_event, name) => {
    if (!name || /(^|\/)(node_modules|dist)\/|\.test\.tsx?$/.test(name)) return;
    clearTimeout(timer);
    timer = setTimeout(() => cycle(), settleMs);
  });
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    ending = true;
    stopChild().then(() => process.exit(0));
  });
}
await cycle();
