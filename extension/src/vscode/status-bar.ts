import * as vscode from 'vscode';
import { barOf, isUnsafe } from '../common/attention.ts';
import { paced, systemClock, systemTimers } from '../common/clock.ts';
import type { Hub } from '../common/hub.ts';
import type { Subscriptions } from './subscriptions.ts';

const paintEveryMs = 250;

export function createStatusBar(hub: Hub, subscriptions: Subscriptions): void {
  const bar = vscode.window.createStatusBarItem('berth.status', vscode.StatusBarAlignment.Left, 10);
  bar.name = 'Berth';
  const unsafe = vscode.window.createStatusBarItem(
    'berth.unsafe',
    vscode.StatusBarAlignment.Left,
    9,
  );
  unsafe.name = vscode.l10n.t('Berth: No Isolation');
  unsafe.text = `$(unlock) ${vscode.l10n.t('No isolation')}`;
  unsafe.tooltip = vscode.l10n.t('This server runs agents without a sandbox.');
  unsafe.backgroundColor = new vscode.ThemeColor('statusBarItem.errorBackground');
  unsafe.command = 'berth.openDashboard';
  const draw = paced(systemTimers, paintEveryMs, () => {
    const state = hub.state.get();
    const entry = barOf(state, systemClock.now());
    if (entry === null) bar.hide();
    else {
      bar.text = entry.text;
      bar.tooltip = entry.tooltip;
      bar.command = entry.command;
      bar.show();
    }
    if (isUnsafe(state)) unsafe.show();
    else unsafe.hide();
  });
  const stop = hub.state.onChange(() => draw.wanted());
  draw.wanted();
  subscriptions.push(
    bar,
    unsafe,
    new vscode.Disposable(() => {
      stop();
      draw.stop();
    }),
  );
}
