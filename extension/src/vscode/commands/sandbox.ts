import type { Session } from '@berth/contract';
import * as vscode from 'vscode';
import type { ChangesView } from '../changes-view.ts';
import type { Terminals } from '../terminals.ts';
import { changeOf, onSession, sessionOf, type CommandTable, type Desk } from './run.ts';

const changed = ({ changes }: Session) => (changes?.files ?? 0) > 0;

export function sandboxCommands(
  desk: Desk,
  ports: { terminals: () => Promise<Terminals>; changes: ChangesView },
): CommandTable {
  const terminal = (kind: 'agent' | 'shell') => async (value: unknown) => {
    const session = await sessionOf(desk, value);
    if (!session) return;
    desk.active.set(session.id);
    await (await ports.terminals()).open(session.id, kind);
  };
  const openChanges = onSession(
    desk,
    async (session) => {
      const files = await ports.changes.read(session.id);
      if (files.length === 0) {
        await vscode.window.showInformationMessage(
          vscode.l10n.t('The session has changed nothing.'),
        );
        return;
      }
      desk.active.set(session.id);
      const { openAllChanges } = await import('../changes-view.ts');
      await openAllChanges(session, files);
    },
    changed,
  );
  return {
    'berth.attachAgentTerminal': terminal('agent'),
    'berth.openShell': terminal('shell'),
    'berth.openChanges': openChanges,
    'berth.openChange': async (value) => {
      const which = changeOf(value);
      if (which === null) return;
      const files = await ports.changes.read(which.sessionId);
      const file = files.find(({ path }) => path === which.path);
      const { openOneChange } = await import('../changes-view.ts');
      if (file) await openOneChange(which.sessionId, file);
    },
    'berth.applyChanges': onSession(
      desk,
      async (session, _client, link) => {
        const { applyChanges } = await import('../apply-changes.ts');
        await applyChanges(link, session, await ports.changes.read(session.id));
      },
      changed,
    ),
  };
}
