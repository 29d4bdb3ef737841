import type { Session } from '@berth/contract';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import type { Draft } from '../../../webview/src/ipc/index.ts';
import {
  createChatHost,
  type ChatHost,
  type Drafts,
  type Surroundings,
} from '../common/chat-host.ts';
import { systemClock, systemTimers } from '../common/clock.ts';
import type { Hub } from '../common/hub.ts';
import { offlineLook, statusLook, tabIcon, tones } from '../common/status.ts';
import { cut, plain } from '../common/words.ts';
import type { Active } from './active.ts';
import { chatPage } from './chat-page.ts';

export const chatViewType = 'berth.session';
const kept = z.object({ sessionId: z.string().check(z.regex(/^[0-9a-f-]{36}$/)) });
const titleMax = 40;

interface Panel {
  readonly panel: vscode.WebviewPanel;
  readonly host: ChatHost;
}
export interface ChatPanels extends vscode.WebviewPanelSerializer {
  open(sessionId: string, options?: { beside?: boolean; preserveFocus?: boolean }): void;
  focusComposer(sessionId: string): void;
  addToDraft(sessionId: string, draft: Draft): Promise<void>;
  visible(): ReadonlySet<string>;
  dispose(): void;
}

/** One panel a session. A hidden one keeps nothing: its page is made again from the log when it is shown. */
export function createChatPanels(options: {
  hub: Hub;
  active: Active;
  around: Surroundings;
  drafts: Drafts;
  extensionUri: vscode.Uri;
  onError: (what: string, error: unknown) => void;
}): ChatPanels {
  const { hub, active } = options;
  const folder = vscode.Uri.joinPath(options.extensionUri, 'webview');
  const panels = new Map<string, Panel>();

  function dress(panel: vscode.WebviewPanel, session: Session | undefined): void {
    if (!session) return;
    const state = hub.state.get();
    const look =
      state.server.kind === 'online'
        ? statusLook(session, systemClock.now())
        : offlineLook(session, state.heardAt);
    const title = cut(plain(session.title), titleMax);
    if (panel.title !== title) panel.title = title;
    panel.iconPath = new vscode.ThemeIcon(tabIcon(look), new vscode.ThemeColor(tones[look.tone]));
  }

  function fill(panel: vscode.WebviewPanel, sessionId: string): void {
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [folder], enableForms: false };
    let gone = false;
    const host = createChatHost({
      hub,
      sessionId,
      around: options.around,
      drafts: options.drafts,
      clock: systemClock,
      timers: systemTimers,
      post: (message) => {
        if (gone || !panel.visible) return;
        webview.postMessage(message).then(undefined, (error: unknown) => {
          if (!gone) options.onError('a message to the chat was lost', error);
        });
      },
      onError: (error) => options.onError('chat', error),
    });
    panels.set(sessionId, { panel, host });
    const stop = hub.state.onChange((now, before) => {
      if (
        now.sessions.get(sessionId) !== before.sessions.get(sessionId) ||
        now.server.kind !== before.server.kind
      )
        dress(panel, now.sessions.get(sessionId));
    });
    webview.onDidReceiveMessage((message: unknown) => {
      host.receive(message).catch((error: unknown) => options.onError('chat', error));
    });
    panel.onDidChangeViewState(() => {
      if (panel.active) active.set(sessionId);
      if (!panel.visible) host.pause();
    });
    panel.onDidDispose(() => {
      gone = true;
      stop();
      host.close();
      if (panels.get(sessionId)?.panel === panel) panels.delete(sessionId);
    });
    dress(panel, hub.state.get().sessions.get(sessionId));
    webview.html = chatPage(webview, folder, sessionId);
    if (panel.active) active.set(sessionId);
  }

  return {
    open(sessionId, { beside = false, preserveFocus = false } = {}) {
      const open = panels.get(sessionId);
      if (open) {
        open.panel.reveal(undefined, preserveFocus);
        return;
      }
      const title = hub.state.get().sessions.get(sessionId)?.title ?? 'Berth';
      const panel = vscode.window.createWebviewPanel(
        chatViewType,
        cut(plain(title), titleMax),
        {
          viewColumn: beside ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active,
          preserveFocus,
        },
        { enableFindWidget: true },
      );
      fill(panel, sessionId);
    },
    async deserializeWebviewPanel(panel, state: unknown) {
      const read = z.safeParse(kept, state);
      if (!read.success) {
        panel.dispose();
        return;
      }
      fill(panel, read.data.sessionId);
    },
    focusComposer(sessionId) {
      panels.get(sessionId)?.host.focusComposer();
    },
    async addToDraft(sessionId, added) {
      const open = panels.get(sessionId);
      if (open?.panel.visible === true) {
        open.panel.reveal(undefined, false);
        open.host.addToDraft(added);
        return;
      }
      // The page is not there: it takes the draft from the store when it is made.
      const before = options.drafts.load(sessionId);
      await options.drafts.save(sessionId, {
        text: [before?.text, added.text].filter(Boolean).join('\n'),
        blocks: [...(before?.blocks ?? []), ...added.blocks],
      });
      this.open(sessionId);
    },
    visible: () =>
      new Set([...panels].filter(([, { panel }]) => panel.visible).map(([sessionId]) => sessionId)),
    dispose() {
      for (const { host } of panels.values()) host.close();
    },
  };
}
