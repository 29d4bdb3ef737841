import type { Session } from '@berth/contract';
import * as vscode from 'vscode';
import { badgeOf } from '../common/attention.ts';
import { paced, systemClock, systemTimers } from '../common/clock.ts';
import type { Hub } from '../common/hub.ts';
import { tones } from '../common/status.ts';
import {
  nodesOf,
  treeChanges,
  treeOf,
  type Filter,
  type Tree,
  type TreeNode,
} from '../common/tree.ts';
import { count } from '@berth/client/words';
import type { Active } from './active.ts';
import { affects, settings } from './settings.ts';
import type { Subscriptions } from './subscriptions.ts';

const paintEveryMs = 250;
const tickMs = 30_000;

/** A row as the editor holds it: the same object as long as the row is there, so that naming it redraws that row. */
interface Row {
  readonly id: string;
  readonly sessionId: string | null;
  readonly agentId: string | null;
}
export interface SessionsView {
  readonly filter: Filter;
  setFilter(filter: Filter, archived: readonly Session[]): void;
  readonly reveal: (sessionId: string) => Promise<void>;
  readonly tree: Tree;
}

export function createSessionsView(options: {
  hub: Hub;
  active: Active;
  subscriptions: Subscriptions;
}): SessionsView {
  const { hub, subscriptions } = options;
  const changed = new vscode.EventEmitter<Row | undefined>();
  const collapsed = new Set<string>();
  let filter: Filter = 'all';
  let archived: readonly Session[] = [];
  let nodes = new Map<string, TreeNode>();
  const make = (): Tree =>
    treeOf(hub.state.get(), {
      groupBy: settings.groupBy(),
      filter,
      now: systemClock.now(),
      collapsed,
      archived,
    });
  let tree: Tree = { roots: [], hidden: 0 };

  const rows = new Map<string, Row>();
  const rowOf = ({ id, sessionId, agentId }: TreeNode): Row => {
    const row = rows.get(id) ?? { id, sessionId, agentId };
    rows.set(id, row);
    return row;
  };
  const provider: vscode.TreeDataProvider<Row> = {
    onDidChangeTreeData: changed.event,
    getChildren: (row) => (row ? (nodes.get(row.id)?.children ?? []) : tree.roots).map(rowOf),
    getParent: (row) => {
      const parent = tree.roots.find(({ children }) => children.some(({ id }) => id === row.id));
      return parent && rowOf(parent);
    },
    getTreeItem: (row) => {
      const node = nodes.get(row.id);
      // It left between the editor's two questions; the redraw that follows takes it out.
      return node ? itemOf(node, row, collapsed) : new vscode.TreeItem('');
    },
  };
  const view = vscode.window.createTreeView('berth.sessions', {
    treeDataProvider: provider,
    showCollapseAll: false,
  });

  function draw(): void {
    const next = make();
    const what = treeChanges(tree, next);
    tree = next;
    nodes = new Map(nodesOf(next).map((node) => [node.id, node]));
    if (what === 'all') {
      for (const id of rows.keys()) if (!nodes.has(id)) rows.delete(id);
      changed.fire(undefined);
    } else
      for (const id of what) {
        const row = rows.get(id);
        if (row) changed.fire(row);
      }
    say();
  }
  function say(): void {
    const state = hub.state.get();
    const need = badgeOf(state);
    view.badge =
      need > 0
        ? { value: need, tooltip: need === 1 ? '1 session needs you' : `${need} sessions need you` }
        : undefined;
    const filtered = filter !== 'all';
    const empty = tree.roots.length === 0;
    if (state.server.kind === 'offline')
      view.message = vscode.l10n.t('Connection lost. The agents go on.');
    else if (filtered && filter === 'archived')
      view.message = empty ? vscode.l10n.t('Nothing is archived.') : '';
    else if (filtered && tree.hidden > 0)
      view.message = vscode.l10n.t(
        empty ? 'No session fits. {0} hidden by the filter.' : '{0} hidden by the filter.',
        count(tree.hidden, 'session is', 'sessions are'),
      );
    else view.message = '';
    view.description = {
      all: '',
      'needs-you': vscode.l10n.t('needs you'),
      running: vscode.l10n.t('running'),
      unread: vscode.l10n.t('new answers'),
      archived: vscode.l10n.t('archived'),
    }[filter];
  }

  const drawing = paced(systemTimers, paintEveryMs, () => {
    // Hidden: nothing is drawn, only the badge counts on.
    if (view.visible) draw();
    else say();
  });
  let stopTick: () => void = () => undefined;
  const tick = (): void => {
    stopTick();
    if (!view.visible) return;
    stopTick = systemTimers.after(tickMs, () => {
      drawing.wanted();
      tick();
    });
  };
  const stops = [hub.state.onChange(() => drawing.wanted())];
  subscriptions.push(
    view,
    changed,
    view.onDidChangeVisibility(() => {
      drawing.wanted();
      tick();
    }),
    view.onDidCollapseElement(({ element }) => {
      collapsed.add(element.id);
      drawing.wanted();
    }),
    view.onDidExpandElement(({ element }) => {
      collapsed.delete(element.id);
      drawing.wanted();
    }),
    view.onDidChangeSelection(({ selection }) => {
      const sessionId = selection[0]?.sessionId;
      if (sessionId) options.active.set(sessionId);
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (affects(event, 'sessions')) drawing.wanted();
    }),
    new vscode.Disposable(() => {
      stopTick();
      drawing.stop();
      for (const stop of stops) stop();
    }),
  );
  draw();
  tick();

  return {
    get filter() {
      return filter;
    },
    get tree() {
      return tree;
    },
    setFilter(next, of) {
      filter = next;
      archived = of;
      drawing.wanted();
    },
    async reveal(sessionId) {
      const row = rows.get(`session:${sessionId}`);
      if (row && view.visible) await view.reveal(row, { select: true, focus: false });
    },
  };
}

function itemOf(node: TreeNode, row: Row, collapsed: ReadonlySet<string>): vscode.TreeItem {
  const state =
    node.kind === 'session' || node.children.length === 0
      ? vscode.TreeItemCollapsibleState.None
      : collapsed.has(node.id)
        ? vscode.TreeItemCollapsibleState.Collapsed
        : vscode.TreeItemCollapsibleState.Expanded;
  const item = new vscode.TreeItem(node.label, state);
  item.id = node.id;
  item.description = node.description;
  item.tooltip = node.tooltip;
  item.contextValue = node.context;
  if (node.icon !== null)
    item.iconPath = node.tone
      ? new vscode.ThemeIcon(node.icon, new vscode.ThemeColor(tones[node.tone]))
      : new vscode.ThemeIcon(node.icon);
  item.accessibilityInformation = {
    label: [node.label, node.description].filter(Boolean).join(', '),
  };
  if (node.sessionId !== null)
    item.command = {
      command: 'berth.openSession',
      title: vscode.l10n.t('Open Session'),
      arguments: [row],
    };
  return item;
}
