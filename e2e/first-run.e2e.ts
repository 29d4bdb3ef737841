import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import { readLocalFile } from '../client/node.ts';
import { codeServerRunsHere } from '../scripts/code-server.mjs';
import { dist, endRunner, until } from './support/berth.ts';
import {
  launchBrowser,
  startCodeServer,
  workbench,
  type Browser,
  type CodeServer,
  type Workbench,
} from './support/code-server.ts';

const root = resolve(import.meta.dirname, '..');
const shots = process.env['BERTH_SCREENSHOTS'] ?? join(tmpdir(), 'berth-screenshots');
const settings = { 'workbench.colorTheme': 'Default Dark Modern' };

/** Somebody who has cloned Berth, opened the clone in the editor, and never started it. */
describe.runIf(codeServerRunsHere())('the first time', () => {
  let dataDir: string;
  let folder: string;
  let server: CodeServer;
  let browser: Browser;
  let editor: Workbench;

  beforeAll(async () => {
    await mkdir(shots, { recursive: true });
    [dataDir, folder] = (await Promise.all(
      ['data', 'folder'].map((name) => mkdtemp(join(tmpdir(), `berth-first-${name}-`))),
    )) as [string, string];
    // What the editor looks for in a clone, and `npm start`: both lead to the one that is built.
    await mkdir(join(folder, 'bin'));
    await writeFile(
      join(folder, 'bin', 'start.mjs'),
      `await import(${JSON.stringify(join(root, 'bin', 'start.mjs'))});\n`,
    );
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ scripts: { start: 'exec node bin/start.mjs' } }),
    );
    server = await startCodeServer({
      folder,
      vsix: [dist('berth.vsix')],
      env: {
        BERTH_DATA_DIR: dataDir,
        PORT: '0',
      },
      settings,
    });
    browser = await launchBrowser();
    editor = workbench(browser.page);
    await editor.open(server, folder);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') {
      const name = task.name.replaceAll(/\W+/g, '-');
      await editor.page.screenshot({ path: join(shots, `failed-${name}.png`) });
    }
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    const local = await readLocalFile(dataDir);
    if (local) {
      stop(local.pid);
      await until(() => !alive(local.pid), 20_000, 'the end of the server');
    }
    await endRunner(dataDir);
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    await rm(folder, { recursive: true, force: true });
  });

  test('no server: what is missing, and two ways on', async () => {
    await editor.openBerth();
    await editor.page.getByText('No Berth server answers').first().waitFor();
    await editor.page.getByRole('button', { name: 'Connect to Another Server' }).waitFor();
    await editor.page.screenshot({ path: join(shots, 'first-absent.png') });
  });

  test('one click starts it in a terminal that can be seen, and the window signs in by itself', async () => {
    await editor.page.getByRole('button', { name: 'Start a Server Here' }).click();
    await editor.page.getByText('No sessions yet.').waitFor({ timeout: 90_000 });
    await editor.row('Rehearsal').waitFor();
    await editor.terminalSays(/npm start/);
    await editor.page.screenshot({ path: join(shots, 'first-empty.png') });
  });

  test('by keys alone: three times Enter, and the agent answers', async () => {
    await editor.page.keyboard.press('Control+Alt+a');
    await editor.page.keyboard.press('n');
    await editor.step('New Session: Agent');
    await editor.step('New Session: Code');
    await editor.quickInput.filter({ hasText: 'New Session: First Message' }).waitFor();
    await editor.page.keyboard.type('/say a first word');
    const pressed = performance.now();
    await editor.page.keyboard.press('Enter');
    await editor.chat().getByText('a first word', { exact: true }).waitFor({ timeout: 60_000 });
    console.error(`first chat: text after ${Math.round(performance.now() - pressed)} ms`);
    // The person stands where they write, without a click.
    await editor.page.keyboard.type('/say a second one');
    await editor.page.keyboard.press('Enter');
    await editor.chat().getByText('a second one', { exact: true }).waitFor();
  });

  test('a server that this machine has no token for: its address, then a token', async () => {
    const local = await readLocalFile(dataDir);
    const { port } = new URL(local?.url ?? '');
    await editor.run('Berth: Connect to a Server');
    await editor.quickInput.filter({ hasText: 'Connect to a Berth Server' }).waitFor();
    const input = editor.quickInput.locator('input').first();
    await input.fill('what is this');
    await editor.quickInput.getByText('Only the address:').waitFor();
    // The same server by another name.
    await input.fill(`http://localhost:${port}`);
    await editor.page.keyboard.press('Enter');
    await editor.quickInput.filter({ hasText: `Sign In to localhost:${port}` }).waitFor();
    await input.fill('not a token');
    await editor.quickInput.getByText('A token begins with berth_').waitFor();
    await editor.page.screenshot({ path: join(shots, 'first-sign-in.png') });
    await input.fill(local?.token ?? '');
    await editor.page.keyboard.press('Enter');
    await editor.quickInput.waitFor({ state: 'hidden' });
    await editor.row('a first word').waitFor({ timeout: 30_000 });
  });
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH: it has ended
  }
}
function stop(pid: number): void {
  if (alive(pid)) process.kill(pid, 'SIGTERM');
}
