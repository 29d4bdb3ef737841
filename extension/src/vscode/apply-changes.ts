import type { ChangedFile, Session } from '@berth/contract';
import * as vscode from 'vscode';
import { changesSummary, sidesOf } from '../common/changes.ts';
import type { Link } from '../common/hub.ts';
import { count } from '@berth/client/words';
import { applyPatch, checkPatch } from '../node/git.ts';

/** Takes a session's changes over into the open folder, so that nothing is overwritten that was not asked about. */
export async function applyChanges(
  link: Link,
  session: Session,
  files: readonly ChangedFile[],
): Promise<void> {
  if (files.length === 0) {
    await vscode.window.showInformationMessage(vscode.l10n.t('The session has changed nothing.'));
    return;
  }
  const folder = await pickFolder();
  if (!folder) return;
  if (folder.uri.scheme !== 'file') {
    await asEdit(link, session, files, folder.uri);
    return;
  }
  const path = folder.uri.fsPath;
  const patch = await (await link.client.changes.patch(session.id)).bytes();
  const check = await checkPatch(path, patch);
  if (check.kind === 'no-git') {
    await asEdit(link, session, files, folder.uri);
    return;
  }
  const merge = check.kind === 'conflicts';
  if (merge && !check.canMerge) {
    await asEdit(link, session, files, folder.uri);
    return;
  }
  const apply = merge ? vscode.l10n.t('Merge') : vscode.l10n.t('Apply');
  const answer = await vscode.window.showInformationMessage(
    vscode.l10n.t('Take over the changes of "{0}" into {1}?', session.title, folder.name),
    {
      modal: true,
      detail: merge
        ? vscode.l10n.t(
            '{0}. Files here have changed meanwhile: git merges both, and marks what conflicts.',
            changesSummary(files),
          )
        : vscode.l10n.t('{0}. They fit the folder as it is.', changesSummary(files)),
    },
    apply,
  );
  if (answer !== apply) return;
  const result = await applyPatch(path, patch, merge);
  switch (result.kind) {
    case 'applied':
      await vscode.window.showInformationMessage(
        vscode.l10n.t('{0} taken over into {1}.', count(files.length, 'file'), folder.name),
      );
      break;
    case 'conflicts':
      await vscode.window.showWarningMessage(
        vscode.l10n.t('Taken over, with conflicts to resolve in: {0}', result.files.join(', ')),
      );
      break;
    case 'refused':
      await vscode.window.showErrorMessage(
        result.detail.includes('does not match index')
          ? vscode.l10n.t(
              'Nothing was changed: files that the session changed have changes here that are not staged. Commit or stash them, then try again.',
            )
          : vscode.l10n.t('Nothing was changed: git could not apply it. {0}', result.detail),
      );
      break;
  }
}

async function pickFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length > 1)
    return vscode.window.showWorkspaceFolderPick({
      placeHolder: vscode.l10n.t('Which folder should get the changes?'),
    });
  if (!folders[0])
    await vscode.window.showInformationMessage(
      vscode.l10n.t('Open the folder that should get the changes first.'),
    );
  return folders[0];
}

/** Without git: the whole files, each confirmed in the editor's own preview. */
async function asEdit(
  link: Link,
  session: Session,
  files: readonly ChangedFile[],
  folder: vscode.Uri,
): Promise<void> {
  const edit = new vscode.WorkspaceEdit();
  for (const file of files) {
    const { base, current } = sidesOf(file);
    const why = {
      needsConfirmation: true,
      label: session.title,
      description: vscode.l10n.t('Changes of a Berth session'),
    };
    if (base !== null && base !== current)
      edit.deleteFile(vscode.Uri.joinPath(folder, base), { ignoreIfNotExists: true }, why);
    if (current === null) continue;
    const contents = await (await link.client.files.read(session.id, current)).bytes();
    edit.createFile(vscode.Uri.joinPath(folder, current), { overwrite: true, contents }, why);
  }
  const done = await vscode.workspace.applyEdit(edit);
  if (!done)
    await vscode.window.showWarningMessage(vscode.l10n.t('The changes were not taken over.'));
}
