import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { BerthApi } from '../extension.ts';

/** Runs inside the extension host of a real editor, with a real Berth beside it that has one session. */
const id = 'berth.berth';
const extension = (): vscode.Extension<BerthApi> => {
  const found = vscode.extensions.getExtension<BerthApi>(id);
  assert(found, 'the extension is not there');
  return found;
};
async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await check())) {
    assert(performance.now() < end, `${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const sessionId = process.env['BERTH_TEST_SESSION'] ?? '';

const tests: Readonly<Record<string, () => Promise<string | undefined>>> = {
  'activates at once': async () => {
    const { activationMs } = await extension().activate();
    assert(activationMs < 250, `activate() took ${String(activationMs)} ms`);
    return `${activationMs.toFixed(1)} ms`;
  },
  'every command of the manifest is registered, and no other': async () => {
    const manifest = extension().packageJSON as {
      contributes: { commands: { command: string }[] };
    };
    const wanted = manifest.contributes.commands.map(({ command }) => command).sort();
    // The editor adds commands for every view by itself.
    const own = /^berth\.(sessions|agents|changes)\.|^berth\.\w+\.(open|focus)/;
    const there = (await vscode.commands.getCommands(true)).filter(
      (command) => command.startsWith('berth.') && !own.test(command),
    );
    assert.deepEqual(there.sort(), wanted);
    return undefined;
  },
  'finds the server of this machine and its sessions': async () => {
    const api = await extension().activate();
    await until('the server', () => api.server() === 'online');
    await until('the session', () => api.sessions() === 1);
    return undefined;
  },
  'a session opens as one panel, however often it is asked for': async () => {
    await vscode.commands.executeCommand('berth.openSession', sessionId);
    await vscode.commands.executeCommand('berth.openSession', sessionId);
    const panels = () =>
      vscode.window.tabGroups.all
        .flatMap(({ tabs }) => tabs)
        .filter(
          ({ input }) =>
            input instanceof vscode.TabInputWebview && input.viewType.endsWith('berth.session'),
        );
    await until('the panel', () => panels().length > 0);
    assert.equal(panels().length, 1);
    assert.equal(panels()[0]?.label, 'In the host');
    return undefined;
  },
  'a file of the sandbox can be read and not written': async () => {
    const uri = vscode.Uri.parse(`berth://${sessionId}/current/note.txt`);
    assert.equal(
      new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)),
      'from the sandbox',
    );
    assert.equal((await vscode.workspace.fs.stat(uri)).permissions, vscode.FilePermission.Readonly);
    await assert.rejects(async () => vscode.workspace.fs.writeFile(uri, new Uint8Array()));
    const missing = vscode.Uri.parse(`berth://${sessionId}/current/missing.txt`);
    await assert.rejects(
      async () => vscode.workspace.fs.readFile(missing),
      /not.?found|FileNotFound/i,
    );
    return undefined;
  },
  'a shell runs in the sandbox': async () => {
    await vscode.commands.executeCommand('berth.openShell', { sessionId });
    await until('the terminal', () =>
      vscode.window.terminals.some(({ name }) => name.includes('shell')),
    );
    const terminal = vscode.window.terminals.find(({ name }) => name.includes('shell'));
    const made = vscode.Uri.parse(`berth://${sessionId}/current/made.txt`);
    let tries = 0;
    await until('the file that the shell wrote', async () => {
      // What is typed before the shell is attached goes nowhere.
      if (tries++ % 20 === 0) terminal?.sendText('echo $((20+22)) > made.txt');
      try {
        return new TextDecoder().decode(await vscode.workspace.fs.readFile(made)) === '42\n';
      } catch {
        return false; // not there yet
      }
    });
    return undefined;
  },
};

/** What the editor calls. Rejects when a test failed, so that the editor's exit code says so as well. */
export async function run(): Promise<void> {
  const results: { name: string; passed: boolean; note: string }[] = [];
  for (const [name, test] of Object.entries(tests)) {
    try {
      results.push({ name, passed: true, note: (await test()) ?? '' });
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      results.push({ name, passed: false, note: why });
    }
  }
  const file = process.env['BERTH_TEST_RESULT'] ?? '';
  await writeFile(file, JSON.stringify(results));
  const failed = results.filter(({ passed }) => !passed);
  if (failed.length > 0) throw new Error(failed.map(({ name }) => name).join(', '));
}
