import * as vscode from 'vscode';
import { noticesOf, type Notice } from '../common/attention.ts';
import type { Hub } from '../common/hub.ts';
import { simpleAnswer } from '../common/tree.ts';
import { settings } from './settings.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Said once each; a window that is open for weeks forgets the oldest. */
const rememberedMax = 500;

/** Tells about sessions that need somebody who is not looking. What can be answered with one word can be answered here. */
export function createNotifications(options: {
  hub: Hub;
  visibleSessions: () => ReadonlySet<string>;
  open: (sessionId: string) => Promise<void>;
  decide: (approvalId: string, revision: number, optionId: string) => Promise<void>;
  onError: (what: string, error: unknown) => void;
  subscriptions: Subscriptions;
}): void {
  const { hub } = options;
  const told = new Set<string>();
  async function tell(notice: Notice): Promise<void> {
    const open = vscode.l10n.t('Open');
    const allow = vscode.l10n.t('Allow Once');
    const deny = vscode.l10n.t('Deny');
    const { approval } = notice;
    const actions = approval ? [allow, deny, open] : [open];
    const answer =
      notice.level === 'warning'
        ? await vscode.window.showWarningMessage(notice.text, ...actions)
        : await vscode.window.showInformationMessage(notice.text, ...actions);
    if (answer === undefined) return;
    if (answer === open || approval === null) {
      await options.open(notice.sessionId);
      return;
    }
    const simple = simpleAnswer(approval);
    if (simple === null) return;
    await options.decide(
      approval.id,
      approval.revision,
      answer === allow ? simple.allow : simple.deny,
    );
  }
  const stop = hub.state.onChange((now, before) => {
    const looking = { focused: vscode.window.state.focused, sessions: options.visibleSessions() };
    for (const notice of noticesOf(before, now, settings.notices(), looking)) {
      if (told.has(notice.key)) continue;
      told.add(notice.key);
      if (told.size > rememberedMax) told.delete(told.values().next().value ?? '');
      tell(notice).catch((error: unknown) => options.onError('notification', error));
    }
  });
  options.subscriptions.push(new vscode.Disposable(stop));
}
