import { explain } from '@berth/client';
import type { ChangedFile, Session } from '@berth/contract';
import * as vscode from 'vscode';
import { changeRow, whyUnread } from '../common/changes.ts';
import { paced, systemTimers } from '../common/clock.ts';
import type { Hub } from '../common/hub.ts';
import { cut, plain } from '../common/words.ts';
import type { Active } from './active.ts';
import { diffUris, uriOf, type SessionFiles } from './files.ts';
import type { Subscriptions } from './subscriptions.ts';

const readEveryMs = 500;
const rowScheme = 'berth-change';

export interface ChangesView {
  /** The files that a session changed, as the server says now. */
  readonly read: (sessionId: string) => Promise<readonly ChangedFile[]>;
}

/** The files that the active session changed, against what it began with. */
export function createChangesView(options: {
  hub: Hub;
  active: Active;
  files: SessionFiles;
  onError: (what: string, error: unknown) => void;
  subscriptions: Subscriptions;
}): ChangesView {
  const { hub, active, subscriptions } = options;
  const changed = new vscode.EventEmitter<undefined>();
  const decorated = new vscode.EventEmitter<vscode.Uri[]>();
  let rows: readonly ChangedFile[] = [];
  let shown: string | null = null;
  let round = 0;

  // A scheme of its own: files of the sandbox wear a lock, which would take the place of the letter.
  const rowUri = (file: ChangedFile) =>
    vscode.Uri.from({ scheme: rowScheme, authority: shown ?? '', path: `/${file.path}` });
  const provider: vscode.TreeDataProvider<ChangedFile> = {
    onDidChangeTreeData: changed.event,
    getChildren: (file) => (file ? [] : [...rows]),
    getTreeItem: (file) => {
      const row = changeRow(file);
      const item = new vscode.TreeItem(row.name);
      item.id = file.path;
      item.description = row.description;
      item.tooltip = row.tooltip;
      item.resourceUri = rowUri(file);
      item.iconPath = vscode.ThemeIcon.File;
      item.contextValue = 'change';
      item.accessibilityInformation = { label: row.tooltip.replace('\n', ', ') };
      item.command = {
        command: 'berth.openChange',
        title: vscode.l10n.t('Open the Diff'),
        arguments: [{ sessionId: shown, path: file.path }],
      };
      return item;
    },
  };
  const view = vscode.window.createTreeView('berth.changes', { treeDataProvider: provider });

  async function read(sessionId: string): Promise<readonly ChangedFile[]> {
    const link = hub.link;
    if (link === null) return [];
    const { files } = await link.client.changes.list(sessionId);
    return files;
  }

  function title(session: Session | undefined): void {
    // Not in the title: the editor writes every word of it with a capital.
    view.description = session ? cut(plain(session.title), 40) : '';
  }

  const reading = paced(systemTimers, readEveryMs, () => {
    const { sessionId } = active.get();
    const session = hub.state.get().sessions.get(sessionId ?? '');
    round += 1;
    const mine = round;
    // While the connection is away the last known list stays.
    if (!session || !view.visible || hub.state.get().server.kind !== 'online') return;
    read(session.id).then(
      (files) => {
        if (mine !== round) return;
        const before = rows;
        rows = files;
        shown = session.id;
        view.message = files.length === 0 ? vscode.l10n.t('Nothing is changed.') : '';
        title(session);
        changed.fire(undefined);
        decorated.fire([...new Set([...before, ...files])].map(rowUri));
        options.files.touched(
          session.id,
          files.map(({ path }) => path),
        );
      },
      (error: unknown) => {
        if (mine !== round) return;
        rows = [];
        shown = session.id;
        view.message = whyUnread(session.status) ?? explain(error);
        title(session);
        changed.fire(undefined);
      },
    );
  });

  const counts = (session: Session | undefined) =>
    session?.changes
      ? `${session.changes.files}/${session.changes.added}/${session.changes.deleted}/${session.status}`
      : (session?.status ?? '');
  const stops = [
    active.onChange(() => {
      rows = [];
      changed.fire(undefined);
      reading.wanted();
    }),
    hub.state.onChange((now, before) => {
      const id = active.get().sessionId ?? '';
      const back = now.server.kind === 'online' && before.server.kind !== 'online';
      if (back || counts(now.sessions.get(id)) !== counts(before.sessions.get(id)))
        reading.wanted();
    }),
  ];
  subscriptions.push(
    view,
    changed,
    decorated,
    view.onDidChangeVisibility(() => reading.wanted()),
    vscode.window.registerFileDecorationProvider({
      onDidChangeFileDecorations: decorated.event,
      provideFileDecoration: (uri) => {
        if (uri.scheme !== rowScheme || shown === null) return undefined;
        const file = rows.find((one) => rowUri(one).toString() === uri.toString());
        if (!file) return undefined;
        const { letter, color } = changeRow(file);
        return new vscode.FileDecoration(letter, undefined, new vscode.ThemeColor(color));
      },
    }),
    new vscode.Disposable(() => {
      reading.stop();
      for (const stop of stops) stop();
    }),
  );
  return { read };
}

/** All changed files of a session as one multi-diff. */
export async function openAllChanges(
  session: Session,
  files: readonly ChangedFile[],
): Promise<void> {
  const rows = files.map((file) => {
    const { original, modified } = diffUris(session.id, file);
    return [uriOf({ sessionId: session.id, rev: 'current', path: file.path }), original, modified];
  });
  await vscode.commands.executeCommand(
    'vscode.changes',
    vscode.l10n.t('Changes: {0}', cut(plain(session.title), 40)),
    rows,
  );
}

/** One file: what it was on the left, what it is on the right. */
export async function openOneChange(sessionId: string, file: ChangedFile): Promise<void> {
  const { original, modified } = diffUris(sessionId, file);
  const name = file.path.split('/').at(-1) ?? file.path;
  if (original && modified)
    await vscode.commands.executeCommand('vscode.diff', original, modified, `${name} (sandbox)`, {
      preview: true,
    });
  else {
    const uri = modified ?? original;
    if (uri) await vscode.commands.executeCommand('vscode.open', uri, { preview: true });
  }
}
