import type { Session } from '@berth/contract';
import * as vscode from 'vscode';
import { isTurnRunning, isUnread } from '@berth/client/status';
import { nextInNeed } from '../../common/tree.ts';
import type { ChatPanels } from '../chat-panels.ts';
import {
  agentIdOf,
  linkOf,
  onSession,
  sessionItems,
  sessionOf,
  type CommandTable,
  type Desk,
} from './run.ts';

const asleep = ({ status }: Session) => status === 'suspended' || status === 'suspending';
const awake = (session: Session) => !asleep(session);

export function sessionCommands(
  desk: Desk,
  ports: { panels: () => Promise<ChatPanels>; reveal: (sessionId: string) => Promise<void> },
): CommandTable {
  const { hub, active } = desk;
  const open = async (sessionId: string): Promise<void> => {
    active.set(sessionId);
    (await ports.panels()).open(sessionId);
    await ports.reveal(sessionId);
  };
  const start = async (agentId: string | undefined, message: string): Promise<void> => {
    const link = await linkOf(desk);
    if (link === null) return;
    const { newSession } = await import('../new-session-flow.ts');
    const onError = (what: string, error: unknown) => desk.log.error(what, error);
    const session = await newSession({ hub, link, agentId, message, onError });
    if (session) await open(session.id);
  };
  return {
    'berth.newSession': (value) => start(agentIdOf(value), ''),
    'berth.tour': async () => {
      const rehearsal = hub.state.get().agents.find(({ harness }) => harness === 'rehearsal');
      const link = await linkOf(desk);
      if (link === null) return;
      if (!rehearsal) {
        await start(undefined, '');
        return;
      }
      const session = await link.client.sessions.create({
        agentId: rehearsal.id,
        turnId: link.client.newId(),
        prompt: [{ type: 'text', text: vscode.l10n.t('Show me what you can do') }],
      });
      await open(session.id);
    },
    'berth.openSession': async (value) => {
      const session = await sessionOf(desk, value);
      if (session) await open(session.id);
    },
    'berth.switchSession': async () => {
      const items = sessionItems(desk, () => true);
      const picked = await vscode.window.showQuickPick(items, {
        placeHolder: vscode.l10n.t('Switch to a session'),
        matchOnDetail: true,
        matchOnDescription: true,
      });
      if (picked) await open(picked.session.id);
    },
    'berth.nextNeedsInput': async () => {
      const next = nextInNeed(hub.state.get(), active.get().sessionId);
      if (next) await open(next.id);
      else await vscode.window.showInformationMessage(vscode.l10n.t('Nothing waits for you.'));
    },
    'berth.rename': onSession(desk, async (session, client) => {
      const title = await vscode.window.showInputBox({
        title: vscode.l10n.t('Rename Session'),
        value: session.title,
        validateInput: (text) =>
          text.trim() === '' || text.length > 200
            ? vscode.l10n.t('A title has 1 to 200 characters.')
            : null,
      });
      if (title === undefined || title.trim() === session.title) return;
      const { version } = await client.sessions.get(session.id);
      await client.sessions.patch(session.id, version, { title: title.trim() });
    }),
    'berth.stop': onSession(
      desk,
      (session, client) => client.sessions.cancel(session.id),
      isTurnRunning,
    ),
    'berth.cancelTurn': onSession(
      desk,
      (session, client) => client.sessions.cancel(session.id),
      isTurnRunning,
    ),
    'berth.suspend': onSession(
      desk,
      async (session, client) => {
        if (isTurnRunning(session)) {
          const go = vscode.l10n.t('Suspend');
          const answer = await vscode.window.showWarningMessage(
            vscode.l10n.t('The agent is in the middle of a turn.'),
            { modal: true, detail: vscode.l10n.t('Suspending ends what runs in the sandbox.') },
            go,
          );
          if (answer !== go) return;
        }
        await client.sessions.suspend(session.id);
      },
      awake,
    ),
    'berth.resume': onSession(
      desk,
      (session, client) => client.sessions.resume(session.id),
      asleep,
    ),
    'berth.restartAgent': onSession(
      desk,
      (session, client) => client.sessions.restartAgent(session.id),
      awake,
    ),
    'berth.takeBack': onSession(
      desk,
      (session, client) => client.sessions.takeBack(session.id),
      ({ holder }) => holder === 'terminal',
    ),
    'berth.archive': onSession(desk, (session, client) => client.sessions.archive(session.id)),
    'berth.unarchive': onSession(desk, (session, client) => client.sessions.unarchive(session.id)),
    'berth.delete': onSession(desk, async (session, client) => {
      const remove = vscode.l10n.t('Delete');
      const answer = await vscode.window.showWarningMessage(
        vscode.l10n.t('Delete "{0}"?', session.title),
        {
          modal: true,
          detail: vscode.l10n.t(
            'Its conversation, its sandbox and the files in it are removed for good.',
          ),
        },
        remove,
      );
      if (answer === remove) await client.sessions.remove(session.id);
    }),
    'berth.markRead': onSession(
      desk,
      (session, client) => client.sessions.markRead(session.id, session.lastSeq),
      isUnread,
    ),
    'berth.markAllRead': async () => {
      const link = await linkOf(desk);
      if (link === null) return;
      const unread = [...hub.state.get().sessions.values()].filter(isUnread);
      for (const session of unread)
        await link.client.sessions.markRead(session.id, session.lastSeq, {
          version: session.version,
        });
    },
    'berth.copyLink': onSession(desk, async (session, client) => {
      await vscode.env.clipboard.writeText(`${client.url}/#/sessions/${session.id}`);
      await vscode.window.showInformationMessage(vscode.l10n.t('The link is in the clipboard.'));
    }),
    'berth.exportTranscript': onSession(desk, async (session, client) => {
      const text = await client.sessions.export(session.id);
      const name = session.title.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || 'session';
      const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
      const target = await vscode.window.showSaveDialog({
        ...(folder ? { defaultUri: vscode.Uri.joinPath(folder, `${name}.md`) } : {}),
        filters: { Markdown: ['md'] },
      });
      if (!target) return;
      await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
      await vscode.window.showTextDocument(target, { preview: true });
    }),
  };
}
