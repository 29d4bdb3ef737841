import type { Agent } from '@berth/contract';
import * as vscode from 'vscode';
import type { Hub } from '../common/hub.ts';
import { harnessTitle } from '../common/tree.ts';
import { cut, plain } from '../common/words.ts';
import type { Subscriptions } from './subscriptions.ts';

/** The agents, as long as there is no session whose agent could be seen: who is there to talk to. */
export function createAgentsView(hub: Hub, subscriptions: Subscriptions): void {
  const changed = new vscode.EventEmitter<undefined>();
  const provider: vscode.TreeDataProvider<Agent> = {
    onDidChangeTreeData: changed.event,
    getChildren: (agent) => (agent ? [] : [...hub.state.get().agents]),
    getTreeItem: (agent) => {
      const { harnesses } = hub.state.get();
      const title = harnessTitle(harnesses, agent);
      const item = new vscode.TreeItem(cut(plain(agent.name), 31));
      item.id = agent.id;
      item.description =
        agent.harness === 'rehearsal'
          ? vscode.l10n.t('scripted, needs no model')
          : title === agent.name
            ? ''
            : title;
      item.iconPath = new vscode.ThemeIcon(agent.harness === 'rehearsal' ? 'beaker' : 'robot');
      item.contextValue = 'agent';
      item.command = {
        command: 'berth.newSession',
        title: vscode.l10n.t('New Session'),
        arguments: [{ agentId: agent.id }],
      };
      return item;
    },
  };
  const stop = hub.state.onChange((now, before) => {
    if (now.agents !== before.agents) changed.fire(undefined);
  });
  subscriptions.push(
    vscode.window.registerTreeDataProvider('berth.agents', provider),
    changed,
    new vscode.Disposable(stop),
  );
}
