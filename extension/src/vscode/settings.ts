import * as vscode from 'vscode';
import type { NoticeLevel, NoticeSettings } from '../common/attention.ts';
import type { GroupBy } from '../common/tree.ts';

const levels: readonly NoticeLevel[] = ['off', 'unfocused', 'always'];
const read = (key: string): unknown => vscode.workspace.getConfiguration('berth').get(key);
const text = (key: string): string => {
  const value = read(key);
  return typeof value === 'string' ? value.trim() : '';
};
/** What somebody wrote into a settings file may be anything: the first choice stands for what is none. */
function choice<T extends string>(key: string, choices: readonly [T, ...T[]]): T {
  const value = read(key);
  return choices.find((one) => one === value) ?? choices[0];
}
const level = (key: string, usual: NoticeLevel): NoticeLevel => {
  const value = read(key);
  return levels.find((one) => one === value) ?? usual;
};

export const settings = {
  serverUrl: () => text('server.url'),
  serverHeaders: (): Record<string, string> => {
    const value = read('server.headers');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(
        (entry): entry is [string, string] =>
          typeof entry[1] === 'string' && /^[A-Za-z0-9-]+$/.test(entry[0]),
      ),
    );
  },
  caFile: () => text('server.caFile'),
  defaultAgent: () => text('defaultAgent'),
  groupBy: (): GroupBy => choice('sessions.groupBy', ['agent', 'status']),
  notices: (): NoticeSettings => ({
    needsInput: level('notifications.needsInput', 'unfocused'),
    completed: level('notifications.completed', 'off'),
    failed: level('notifications.failed', 'unfocused'),
  }),
  sendKey: () => choice('chat.sendKey', ['enter', 'ctrlEnter']),
  terminalLocation: () => choice('terminal.location', ['panel', 'editor']),
  restoreTerminals: () => read('terminal.restoreOnReload') !== false,
  logHttp: () => read('log.http') === true,
};

export const affects = (event: vscode.ConfigurationChangeEvent, ...keys: string[]): boolean =>
  keys.some((key) => event.affectsConfiguration(`berth.${key}`));
