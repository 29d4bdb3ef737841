import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeServerRunsHere } from '../scripts/code-server.mjs';
import { dist, startBerth, type Berth } from './support/berth.ts';
import { idle, rehearsal } from './support/talk.ts';

const root = resolve(import.meta.dirname, '..');

describe.runIf(codeServerRunsHere())('inside the extension host', () => {
  let berth: Berth;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'berth-host-'));
    berth = await startBerth();
  });
  afterAll(async () => {
    await berth[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  test('the suite of the extension passes', async () => {
    const tests = join(dir, 'suite.cjs');
    await build({
      entryPoints: [join(root, 'extension/src/testing/host-suite.ts')],
      outfile: tests,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      external: ['vscode'],
      logLevel: 'error',
    });
    // Where real VS Code can be downloaded, leaving `vscodeExecutablePath` out runs the same suite there.
    const shim = join(dir, 'code');
    const program = join(root, 'e2e/support/editor-shim.ts');
    await writeFile(shim, `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
    await chmod(shim, 0o755);
    const agent = await rehearsal(berth);
    const session = await berth.client.sessions.create({ agentId: agent.id, title: 'In the host' });
    await idle(berth, session.id);
    await berth.client.files.write(
      session.id,
      'note.txt',
      new TextEncoder().encode('from the sandbox'),
    );
    const result = join(dir, 'result.json');
    const code = await runTests({
      vscodeExecutablePath: shim,
      extensionDevelopmentPath: dist('extension'),
      extensionTestsPath: tests,
      launchArgs: [dir],
      extensionTestsEnv: {
        BERTH_DATA_DIR: berth.dataDir,
        BERTH_TEST_RESULT: result,
        BERTH_TEST_SESSION: session.id,
      },
    }).catch((error: unknown) => String(error));
    const results = JSON.parse(await readFile(result, 'utf8')) as {
      name: string;
      passed: boolean;
      note: string;
    }[];
    console.info(`activate(): ${results[0]?.note ?? ''}`);
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
    expect(results).toHaveLength(6);
    expect(code).toBe(0);
  });
});
