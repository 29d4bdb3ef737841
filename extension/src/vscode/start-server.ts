import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import * as vscode from 'vscode';
import type { Hub } from '../common/hub.ts';

const folderKey = 'berth.serverFolder';
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** `berth` on the PATH, else a clone of Berth: the open folder, or one that the person shows once. */
export async function startServer(context: vscode.ExtensionContext, hub: Hub): Promise<void> {
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'berth'));
  for (const program of onPath) {
    if (await exists(program)) {
      run(`"${program}" serve`, undefined);
      hub.look();
      return;
    }
  }
  const folder = await findClone(context);
  if (folder === null) return;
  await context.globalState.update(folderKey, folder);
  run('npm start', folder);
  hub.look();
}

const isClone = (folder: string) => exists(join(folder, 'bin', 'start.mjs'));

async function findClone(context: vscode.ExtensionContext): Promise<string | null> {
  const known = context.globalState.get<string>(folderKey);
  const open = (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath);
  for (const folder of [...open, ...(known === undefined ? [] : [known])])
    if (await isClone(folder)) return folder;
  const choose = vscode.l10n.t('Choose Folder…');
  const answer = await vscode.window.showInformationMessage(
    vscode.l10n.t('Berth was not found on this machine.'),
    {
      modal: true,
      detail: vscode.l10n.t(
        'Clone its repository, then show its folder here: Berth is started there with `npm start`, and this window signs in by itself.',
      ),
    },
    choose,
  );
  if (answer !== choose) return null;
  const picked = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    openLabel: vscode.l10n.t('Start Berth Here'),
  });
  const folder = picked?.[0]?.fsPath;
  if (folder === undefined) return null;
  if (await isClone(folder)) return folder;
  await vscode.window.showErrorMessage(vscode.l10n.t('{0} is not a clone of Berth.', folder));
  return null;
}

/** In a terminal that the person sees and can stop. */
function run(command: string, cwd: string | undefined): void {
  const terminal = vscode.window.createTerminal({
    name: vscode.l10n.t('Berth server'),
    iconPath: new vscode.ThemeIcon('server'),
    ...(cwd === undefined ? {} : { cwd }),
  });
  terminal.show(true);
  terminal.sendText(command);
}
