import type { Approval } from '@berth/contract';
import * as vscode from 'vscode';
import { simpleAnswer, waitingOf } from '../../common/tree.ts';
import type { ChatPanels } from '../chat-panels.ts';
import {
  decide,
  explainFault,
  sessionIdOf,
  sessionOf,
  type CommandTable,
  type Desk,
} from './run.ts';

const selectionCharsMax = 200_000;

export function chatCommands(
  desk: Desk,
  ports: { panels: () => Promise<ChatPanels> },
): CommandTable {
  const { hub, active } = desk;

  /** The question to answer: the session's only one, or one that the person picks from all that wait. */
  async function waitingApproval(value: unknown): Promise<Approval | null> {
    const state = hub.state.get();
    const sessionId = sessionIdOf(value);
    const waiting =
      sessionId === null
        ? [...state.approvals.values()].filter((approval) => approval.state === 'waiting')
        : waitingOf(state, sessionId);
    if (waiting.length === 0) {
      await vscode.window.showInformationMessage(vscode.l10n.t('Nothing waits for you.'));
      return null;
    }
    // From the palette the question was not seen: it is shown even when there is only one.
    if (sessionId !== null && waiting.length === 1) return waiting[0] ?? null;
    const picked = await vscode.window.showQuickPick(
      waiting.map((approval) => ({
        approval,
        label: approval.title,
        description: approval.agentName,
        detail: approval.sessionTitle,
      })),
      { placeHolder: vscode.l10n.t('Which question?'), matchOnDetail: true },
    );
    return picked?.approval ?? null;
  }

  const answer = (which: 'allow' | 'deny') => async (value: unknown) => {
    const approval = await waitingApproval(value);
    if (approval === null) return;
    const simple = simpleAnswer(approval);
    // More than a yes and a no: it is answered where all of it can be read.
    if (simple === null) (await ports.panels()).open(approval.sessionId);
    else await decide(desk, approval, simple[which]);
  };

  return {
    'berth.showInbox': async () => {
      const { showInbox } = await import('../inbox.ts');
      showInbox({
        hub,
        open: async (sessionId) => {
          active.set(sessionId);
          (await ports.panels()).open(sessionId);
        },
        decide: (id, revision, optionId) => decide(desk, { id, revision }, optionId),
        onError: (error) => {
          desk.log.error('berth.showInbox', error);
          explainFault(desk, error).catch((fault: unknown) => desk.log.error('inbox', fault));
        },
      });
    },
    'berth.approve': answer('allow'),
    'berth.deny': answer('deny'),
    'berth.focusComposer': async (value) => {
      const session = await sessionOf(desk, value);
      if (!session) return;
      const panels = await ports.panels();
      panels.open(session.id);
      panels.focusComposer(session.id);
    },
    'berth.addSelection': async () => {
      const editor = vscode.window.activeTextEditor;
      if (!editor) return;
      const { document, selection } = editor;
      const whole = selection.isEmpty;
      const text = document.getText(whole ? undefined : selection).slice(0, selectionCharsMax);
      const path = vscode.workspace.asRelativePath(document.uri, false);
      const lines = whole ? '' : `#L${selection.start.line + 1}-L${selection.end.line + 1}`;
      // Before anything else opens: the editor that has the selection loses its place then.
      const session = await sessionOf(desk, active.get().sessionId ?? undefined);
      if (!session) return;
      await (
        await ports.panels()
      ).addToDraft(session.id, {
        text: '',
        blocks: [
          {
            type: 'resource',
            resource: { uri: `file:///${path}${lines}`, mimeType: 'text/plain', text },
          },
        ],
      });
    },
  };
}
