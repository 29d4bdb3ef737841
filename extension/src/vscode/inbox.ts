import * as vscode from 'vscode';
import type { Hub } from '../common/hub.ts';
import { inboxOf, type InboxRow } from '../common/inbox.ts';
import { simpleAnswer } from '../common/tree.ts';

type Item = vscode.QuickPickItem & { row: InboxRow };

/** Everything that waits, in one list that is kept up to date while it is open. Enter opens the session; a yes or no is a button of its row. */
export function showInbox(ports: {
  hub: Hub;
  open: (sessionId: string) => Promise<void>;
  decide: (approvalId: string, revision: number, optionId: string) => Promise<void>;
  onError: (error: unknown) => void;
}): void {
  const { hub } = ports;
  const allow: vscode.QuickInputButton = {
    iconPath: new vscode.ThemeIcon('check'),
    tooltip: vscode.l10n.t('Allow Once'),
  };
  const deny: vscode.QuickInputButton = {
    iconPath: new vscode.ThemeIcon('close'),
    tooltip: vscode.l10n.t('Deny'),
  };
  const pick = vscode.window.createQuickPick<Item>();
  pick.title = vscode.l10n.t('What Needs You');
  pick.matchOnDetail = true;
  pick.matchOnDescription = true;
  const fill = (): void => {
    const rows = inboxOf(hub.state.get());
    const active = pick.activeItems[0]?.row.id;
    pick.placeholder =
      rows.length === 0
        ? vscode.l10n.t('Nothing waits for you. Approvals of all sessions appear here.')
        : vscode.l10n.t('Enter opens the session; the buttons of a row answer it.');
    // Rows must not jump under the hand while questions come and go.
    pick.keepScrollPosition = true;
    pick.items = rows.map((row) => ({
      row,
      label: row.label,
      description: row.description,
      detail: row.detail,
      iconPath: new vscode.ThemeIcon(row.icon, new vscode.ThemeColor('list.warningForeground')),
      alwaysShow: true,
      ...(row.approval === null ? {} : { buttons: [allow, deny] }),
    }));
    const still = pick.items.find(({ row }) => row.id === active);
    if (still) pick.activeItems = [still];
  };
  const stop = hub.state.onChange((now, before) => {
    if (now.approvals !== before.approvals || now.sessions !== before.sessions) fill();
  });
  pick.onDidTriggerItemButton(({ item, button }) => {
    const { approval } = item.row;
    const simple = approval && simpleAnswer(approval);
    if (!simple) return;
    ports
      .decide(approval.id, approval.revision, button === allow ? simple.allow : simple.deny)
      .catch(ports.onError);
  });
  pick.onDidAccept(() => {
    const [item] = pick.selectedItems;
    pick.hide();
    if (item) ports.open(item.row.sessionId).catch(ports.onError);
  });
  pick.onDidHide(() => {
    stop();
    pick.dispose();
  });
  fill();
  pick.show();
}
