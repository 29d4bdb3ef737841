// `npm run prisma -- <arguments>`: the stock Prisma CLI, also where its binary host cannot be reached.
// When the native schema engine was not downloaded, the official engine built as WebAssembly stands in (prisma-engine.mjs).
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const prismaPackage = createRequire(import.meta.url).resolve('prisma/package.json');
const enginesFolder = dirname(createRequire(prismaPackage).resolve('@prisma/engines/package.json'));
const hasNativeEngine = readdirSync(enginesFolder).some(
  (name) =>
    name.startsWith('schema-engine-') && !name.endsWith('.sha256') && !name.includes('.tmp'),
);

const env = {
  ...process.env,
  CHECKPOINT_DISABLE: '1',
  // The engine starts by its first line (`env node`): it must meet the Node that runs us.
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
};
if (!hasNativeEngine && !env.PRISMA_SCHEMA_ENGINE_BINARY) {
  // On Windows any program will do for generate, validate and format; migrate needs the shim, which is POSIX only.
  env.PRISMA_SCHEMA_ENGINE_BINARY =
    process.platform === 'win32' ? process.execPath : join(here, 'prisma-engine.mjs');
}

// prisma.config.ts, and every path in the arguments, is relative to the control plane.
const child = spawn(
  process.execPath,
  [join(dirname(prismaPackage), 'build', 'index.js'), ...process.argv.slice(2)],
  { stdio: 'inherit', env, cwd: join(here, '..', 'control-plane') },
);
child.on('error', (error) => {
  console.error(`prisma: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code) => process.exit(code ?? 1));
