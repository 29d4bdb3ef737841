import * as vscode from 'vscode';
import type { Hub } from '../common/hub.ts';
import { isTurnRunning } from '@berth/client/status';
import { badgeOf } from '../common/attention.ts';
import type { Active } from './active.ts';
import { settings } from './settings.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What menus, welcome views and keys look at; set only when it changes. */
export function keepContextKeys(hub: Hub, active: Active, subscriptions: Subscriptions): void {
  const last = new Map<string, unknown>();
  const set = (key: string, value: string | boolean): void => {
    if (last.get(key) === value) return;
    last.set(key, value);
    vscode.commands.executeCommand('setContext', key, value).then(undefined, () => undefined);
  };
  const update = (): void => {
    const state = hub.state.get();
    const live = [...state.sessions.values()].filter(({ archivedAt }) => archivedAt === undefined);
    const session = state.sessions.get(active.get().sessionId ?? '');
    set('berth.server', state.server.kind);
    set('berth.connected', state.server.kind === 'online');
    // Also while the connection is away: what is shown stays where it is.
    set('berth.shown', state.loaded);
    set('berth.hasSessions', live.length > 0);
    set('berth.needsInput', badgeOf(state) > 0);
    set('berth.turnRunning', session !== undefined && isTurnRunning(session));
    set('berth.hasActive', session !== undefined);
    set('berth.canApply', (session?.changes?.files ?? 0) > 0);
    set('berth.groupBy', settings.groupBy());
  };
  update();
  const stops = [hub.state.onChange(update), active.onChange(update)];
  subscriptions.push(
    vscode.workspace.onDidChangeConfiguration(update),
    new vscode.Disposable(() => {
      for (const stop of stops) stop();
    }),
  );
}
