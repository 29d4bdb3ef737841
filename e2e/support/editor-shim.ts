// Stands where @vscode/test-electron expects VS Code's program: the same arguments, run in code-server and a headless browser.
import { parseArgs } from 'node:util';
import { runInHost, startCodeServer } from './code-server.ts';

const { values, positionals } = parseArgs({
  options: {
    extensionDevelopmentPath: { type: 'string' },
    extensionTestsPath: { type: 'string' },
  },
  allowPositionals: true,
  strict: false,
});
const { extensionDevelopmentPath: extension, extensionTestsPath: tests } = values;
const folder = positionals[0];
if (typeof extension !== 'string' || typeof tests !== 'string' || folder === undefined)
  throw new Error('needs --extensionDevelopmentPath, --extensionTestsPath and a folder');

const pass = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] =>
    entry[0].startsWith('BERTH_'),
  ),
);
await using server = await startCodeServer({ folder, testDriver: true, env: pass });
const lines: string[] = [];
process.exitCode = await runInHost({
  server,
  folder,
  extension,
  tests,
  env: pass,
  timeoutMs: 120_000,
  onLog: (line) => lines.push(line),
});
// An editor says much; it is of interest when something failed.
if (process.exitCode !== 0) console.error(lines.slice(-100).join('\n'));
