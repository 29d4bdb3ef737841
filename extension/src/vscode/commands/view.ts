import * as vscode from 'vscode';
import type { Filter } from '../../common/tree.ts';
import type { SessionsView } from '../sessions-view.ts';
import { linkOf, type CommandTable, type Desk } from './run.ts';

export function viewCommands(desk: Desk, view: SessionsView): CommandTable {
  const groupBy = (value: 'agent' | 'status') => () =>
    vscode.workspace
      .getConfiguration('berth')
      .update('sessions.groupBy', value, vscode.ConfigurationTarget.Global);
  return {
    'berth.groupByAgent': groupBy('agent'),
    'berth.groupByStatus': groupBy('status'),
    'berth.filter': async () => {
      const items: (vscode.QuickPickItem & { filter: Filter })[] = [
        { filter: 'all', label: vscode.l10n.t('All sessions') },
        { filter: 'needs-you', label: vscode.l10n.t('Needs you') },
        { filter: 'running', label: vscode.l10n.t('Running, or needs you') },
        { filter: 'unread', label: vscode.l10n.t('With a new answer') },
        { filter: 'archived', label: vscode.l10n.t('Archived') },
      ];
      const picked = await vscode.window.showQuickPick(
        items.map((item) => ({
          ...item,
          ...(item.filter === view.filter ? { iconPath: new vscode.ThemeIcon('check') } : {}),
        })),
        { placeHolder: vscode.l10n.t('Which sessions should the tree show?') },
      );
      if (!picked) return;
      if (picked.filter !== 'archived') {
        view.setFilter(picked.filter, []);
        return;
      }
      const link = await linkOf(desk);
      if (link === null) return;
      const { items: archived } = await link.client.sessions.list({ archived: true, limit: 200 });
      view.setFilter(
        'archived',
        archived.filter(({ archivedAt }) => archivedAt !== undefined),
      );
    },
  };
}
