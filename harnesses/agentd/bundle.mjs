// Bundles agentd into `outdir`: agentd.cjs (CJS starts as fast as ESM and needs no package.json) and, beside it, the native half of the
// terminal module for this platform. The folder is bound into sandboxes as it is, so it holds nothing else.
import { cpSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';

export async function bundleAgentd({ outdir }) {
  const here = import.meta.dirname;
  await build({
    entryPoints: [path.join(here, 'main.ts')],
    outfile: path.join(outdir, 'agentd.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    define: { 'import.meta.url': '__filename' },
    logLevel: 'warning',
  });
  const name = `@lydell/node-pty-${process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve('@lydell/node-pty'));
  const from = path.dirname(require.resolve(`${name}/package.json`));
  const to = path.join(outdir, 'node_modules', name);
  mkdirSync(to, { recursive: true });
  for (const file of ['package.json', 'pty.node'])
    cpSync(path.join(from, file), path.join(to, file));
}

if (process.argv[1] === import.meta.filename)
  await bundleAgentd({ outdir: process.argv[2] ?? path.resolve('dist/agentd') });
