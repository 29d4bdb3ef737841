// Builds everything into dist/.   node scripts/build.mjs [--partial] [name …]
// With names only those programs. --partial skips programs whose source is not there, with a warning; else that is a failure.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { programs } from './programs.mjs';
import { sourceHash, stampFile } from './sources.mjs';
import { packExtension, stageExtension } from './vsix.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

/** Returns the names of the programs that could not be built for want of a source. */
export async function buildAll({ names = [], partial = false } = {}) {
  const before = sourceHash(root);
  const wanted = programs.filter(({ name }) => names.length === 0 || names.includes(name));
  const missing = wanted.filter(({ entry }) => !existsSync(join(root, entry)));
  for (const { name, entry } of missing) {
    if (!partial) throw new Error(`${name} cannot be built: there is no ${entry}`);
    console.error(`build: ${name} skipped: there is no ${entry}`);
  }
  const present = wanted.filter((program) => !missing.includes(program));
  mkdirSync(dist, { recursive: true });
  await Promise.all(present.map(buildProgram));
  const has = (name) => present.some((program) => program.name === name);
  if (has('agentd')) copyNativeTerminals();
  if (has('control-plane') || names.length === 0) copyMigrations();
  if (has('extension') || (has('panel') && existsSync(join(dist, 'extension/extension.js')))) {
    stageExtension(root);
    await packExtension(root);
  }
  if (names.length === 0 && missing.length === 0) writeFileSync(join(root, stampFile), before);
  report(present);
  return missing.map(({ name }) => name);
}

async function buildProgram({ entry, also = [], out, name: _name, ...options }) {
  const outfile = join(dist, out);
  // Hashed or renamed leftovers of an earlier build must not be packed.
  if (options.platform === 'browser') rmSync(dirname(outfile), { recursive: true, force: true });
  await build({
    ...options,
    entryPoints: [{ in: join(root, entry), out: basename(outfile, extname(outfile)) }].concat(
      also.map((path) => ({ in: join(root, path), out: basename(path, extname(path)) })),
    ),
    outdir: dirname(outfile),
    outExtension: { '.js': extname(outfile) },
    bundle: true,
    absWorkingDir: root,
    legalComments: 'none',
    logLevel: 'warning',
  });
}

/**
 * agentd runs in a sandbox that has no node_modules: it gets the prebuilt native module of this platform. As a new file: sandboxes that live through
 * the build have the old one in memory, and written over in place it would end them with SIGSEGV.
 */
function copyNativeTerminals() {
  const from = join(root, 'node_modules', '@lydell');
  const to = join(dist, 'agentd', 'node_modules', '@lydell');
  for (const name of readdirSync(from).filter((folder) => folder.startsWith('node-pty-'))) {
    rmSync(join(to, name), { recursive: true, force: true });
    cpSync(join(from, name), join(to, name), { recursive: true });
  }
}

function copyMigrations() {
  const to = join(dist, 'prisma', 'migrations');
  rmSync(to, { recursive: true, force: true });
  cpSync(join(root, 'control-plane', 'prisma', 'migrations'), to, { recursive: true });
}

function report(built) {
  const kilobytes = (bytes) => `${(bytes / 1024).toFixed(0)} KB`;
  const files = built.map(({ out }) => join(dist, out));
  if (existsSync(join(dist, 'panel/app.css'))) files.push(join(dist, 'panel/app.css'));
  if (existsSync(join(dist, 'berth.vsix'))) files.push(join(dist, 'berth.vsix'));
  for (const file of files) {
    const packed = /webview|panel|extension/.test(file)
      ? `, ${kilobytes(gzipSync(readFileSync(file)).length)} gzipped`
      : '';
    console.error(
      `build: ${file.slice(root.length + 1)} ${kilobytes(statSync(file).size)}${packed}`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const startedAt = performance.now();
  try {
    await buildAll({
      names: args.filter((arg) => !arg.startsWith('-')),
      partial: args.includes('--partial'),
    });
    console.error(`build: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  } catch (error) {
    console.error(`build: ${error.message}`);
    process.exitCode = 1;
  }
}
