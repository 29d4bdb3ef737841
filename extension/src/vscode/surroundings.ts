import type { ChangedFile } from '@berth/contract';
import * as vscode from 'vscode';
import type { Surroundings } from '../common/chat-host.ts';
import { uriOf } from './files.ts';
import { settings } from './settings.ts';
import type { SignIn } from './sign-in.ts';
import type { Terminals } from './terminals.ts';

/** What a chat may ask of the editor around it. */
export function createSurroundings(ports: {
  terminals: () => Promise<Terminals>;
  changedFiles: (sessionId: string) => Promise<readonly ChangedFile[]>;
  signIn: SignIn;
}): Surroundings {
  /** The editor that a person wrote in last; the chat itself is none. */
  let lastEditor: vscode.TextEditor | undefined = vscode.window.activeTextEditor;
  vscode.window.onDidChangeActiveTextEditor((editor) => {
    if (editor) lastEditor = editor;
  });
  return {
    openTerminal: async (sessionId, kind) => (await ports.terminals()).open(sessionId, kind),
    async openChanges(sessionId, path) {
      if (path === undefined) {
        await vscode.commands.executeCommand('berth.openChanges', { sessionId });
        return;
      }
      const files = await ports.changedFiles(sessionId);
      const changed = files.some((file) => file.path === path);
      if (changed) await vscode.commands.executeCommand('berth.openChange', { sessionId, path });
      else await open(sessionId, path, undefined);
    },
    openFile: open,
    async openText(_title, content) {
      const document = await vscode.workspace.openTextDocument({ content, language: 'plaintext' });
      await vscode.window.showTextDocument(document, { preview: true });
    },
    async openLink(url) {
      await vscode.env.openExternal(vscode.Uri.parse(url, true));
    },
    async insertAtCursor(text) {
      const editor = vscode.window.visibleTextEditors.includes(
        lastEditor ?? vscode.window.visibleTextEditors[0] ?? ({} as vscode.TextEditor),
      )
        ? lastEditor
        : vscode.window.visibleTextEditors[0];
      if (!editor) throw new Error('No editor is open to insert into.');
      await editor.edit((edit) => edit.replace(editor.selection, text));
      await vscode.window.showTextDocument(editor.document, editor.viewColumn);
    },
    async copy(text) {
      await vscode.env.clipboard.writeText(text);
    },
    async signIn() {
      await ports.signIn.signIn();
    },
    sendKey: settings.sendKey,
  };
}

async function open(sessionId: string, path: string, line: number | undefined): Promise<void> {
  const uri = uriOf({ sessionId, rev: 'current', path });
  if (line === undefined) {
    await vscode.commands.executeCommand('vscode.open', uri, { preview: true });
    return;
  }
  const at = new vscode.Position(Math.max(0, line - 1), 0);
  await vscode.window.showTextDocument(uri, { preview: true, selection: new vscode.Range(at, at) });
}
