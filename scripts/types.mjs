// Type-checks every layer with its own tsconfig, so that each sees only the libraries it may touch.
import { spawnSync } from 'node:child_process';
const layers = [
  'control-plane/contract',
  'control-plane',
  'client',
  'harnesses/agentd',
  'harnesses/runner',
  'harnesses/rehearsal',
  'harnesses/gemini',
  'webview',
  'extension/src/common',
  'extension/src/node',
  'extension',
  '.',
];
const wanted = process.argv.slice(2);
let failed = false;
for (const layer of wanted.length > 0 ? wanted : layers) {
  const run = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', layer], {
    stdio: 'inherit',
  });
  if (run.status !== 0) {
    failed = true;
    console.error(`types: ${layer} failed`);
  }
}
process.exit(failed ? 1 : 0);
