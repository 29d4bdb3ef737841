// Every program that is built: where it starts, what it becomes, and esbuild's options for it.

/** Bundled CommonJS packages ask for `require`, which ES modules do not have. */
const requireBanner =
  "import{createRequire as __berthRequire}from'node:module';const require=__berthRequire(import.meta.url);";

const node = {
  platform: 'node',
  target: 'node24',
  format: 'esm',
  banner: { js: requireBanner },
  external: ['pg-native'],
  sourcemap: 'linked',
  sourcesContent: false,
};

const page = {
  platform: 'browser',
  target: 'es2023',
  minify: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  assetNames: '[name]',
  loader: { '.ttf': 'file', '.svg': 'dataurl', '.woff2': 'file' },
  define: { 'process.env.NODE_ENV': '"production"' },
};
export const programs = [
  {
    name: 'control-plane',
    entry: 'control-plane/src/main.ts',
    out: 'control-plane/main.mjs',
    ...node,
    // What is imported late is a file of its own: Prisma's compiler is two megabytes that most starts never need. Chunks of older builds stay, for servers
    // that run on while the next build is made.
    splitting: true,
    chunkNames: 'chunk-[hash]',
  },
  { name: 'vault', entry: 'control-plane/src/vault/proxy/main.ts', out: 'vault/main.mjs', ...node },
  { name: 'runner', entry: 'harnesses/runner/main.ts', out: 'runner/main.mjs', ...node },
  // A thread of the runner.
  {
    name: 'screens',
    entry: 'harnesses/runner/screen/worker.ts',
    out: 'runner/screens.mjs',
    ...node,
  },
  {
    name: 'agentd',
    entry: 'harnesses/agentd/main.ts',
    out: 'agentd/agentd.cjs',
    ...node,
    format: 'cjs',
    banner: { js: "const __berthUrl=require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': '__berthUrl' },
    external: ['@lydell/*'], // native: copied beside it
  },
  {
    name: 'rehearsal',
    entry: 'harnesses/rehearsal/main.ts',
    out: 'rehearsal/rehearsal.mjs',
    ...node,
  },
  { name: 'cli', entry: 'bin/berth.ts', out: 'cli/berth.mjs', ...node },
  // The dashboard: modules, so that the terminal is fetched only by who opens one. theme.css: the colours that VS Code gives in the editor.
  {
    name: 'webview',
    entry: 'webview/src/main.tsx',
    also: ['webview/src/styles/theme.css'],
    out: 'webview/app.js',
    format: 'esm',
    splitting: true,
    chunkNames: 'chunk-[hash]',
    ...page,
  },
  // The chat alone, for a panel of VS Code: one file without chunks.
  {
    name: 'panel',
    entry: 'webview/src/panel.tsx',
    out: 'panel/app.js',
    format: 'iife',
    ...page,
  },
  {
    name: 'extension',
    entry: 'extension/src/extension.ts',
    out: 'extension/extension.js',
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minify: true,
    external: ['vscode', 'bufferutil', 'utf-8-validate'],
  },
];
