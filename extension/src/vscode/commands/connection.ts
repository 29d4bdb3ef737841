import { codeOf } from '@berth/client';
import * as vscode from 'vscode';
import { browserWay } from '../../common/addresses.ts';
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
    'berth.newAgent': async () => {
      const link = await linkOf(desk);
      if (link === null) return;
      const { newAgent } = await import('../new-agent-flow.ts');
      const agent = await newAgent({ hub, link });
      if (agent) await vscode.commands.executeCommand('berth.newSession', { agentId: agent.id });
    },
    'berth.manageAgents': () => openInBrowser(desk, '/#/agents'),
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
  const uri = vscode.Uri.parse(url, true);
  // VS Code in a browser sends addresses of its own machine through a path of its own, below which no page of ours can live.
  const seen = vscode.env.uiKind === vscode.UIKind.Web ? await vscode.env.asExternalUri(uri) : uri;
  const way = browserWay(url, seen.toString(true));
  if (way === null)
    await vscode.window.showErrorMessage(
      vscode.l10n.t(
        'Your browser cannot reach {0}. Set BERTH_PUBLIC_URL on the server to an address that it can.',
        link.client.url,
      ),
    );
  else await vscode.env.openExternal(vscode.Uri.parse(way, true));
}
