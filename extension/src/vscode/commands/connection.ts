import { codeOf } from '@berth/client';
import * as vscode from 'vscode';
import type { SignIn } from '../sign-in.ts';
import type { Terminals } from '../terminals.ts';
import { linkOf, sessionIdOf, type CommandTable, type Desk } from './run.ts';

export function connectionCommands(
  desk: Desk,
  ports: {
    context: vscode.ExtensionContext;
    signIn: SignIn;
    terminals: () => Promise<Terminals>;
  },
): CommandTable {
  const { hub } = desk;
  return {
    'berth.connect': (value) => ports.signIn.connect(typeof value === 'string' ? value : undefined),
    'berth.signIn': () => ports.signIn.signIn(),
    'berth.disconnect': () => ports.signIn.disconnect(),
    'berth.reconnect': async () => {
      hub.look();
      (await ports.terminals()).reconnectNow();
    },
    'berth.startServer': async () => {
      const { startServer } = await import('../start-server.ts');
      await startServer(ports.context, hub);
    },
    'berth.showLogs': () => desk.log.show(),
    'berth.refresh': async () => {
      hub.look();
      await hub.refresh();
    },
    'berth.openDashboard': (value) => {
      const id = sessionIdOf(value);
      return openInBrowser(desk, id === null ? '/' : `/#/sessions/${id}`);
    },
    'berth.newAgent': () => openInBrowser(desk, '/#/agents/new'),
  };
}

/** A link that signs the browser in once; without the right to make one, the plain address. */
async function openInBrowser(desk: Desk, path: string): Promise<void> {
  const link = await linkOf(desk);
  if (link === null) return;
  const url = await link.client.signInLinks.create(path).then(
    (made) => made.url,
    (error: unknown) => {
      if (codeOf(error) !== 'forbidden') throw error;
      return link.client.url + path;
    },
  );
  // A Uri would escape the part behind # once more: the text goes as it is.
  await vscode.env.openExternal(vscode.Uri.parse(url, true));
}
