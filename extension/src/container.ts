import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { systemClock, systemTimers } from './common/clock.ts';
import { createHub, type Hub } from './common/hub.ts';
import { createActive } from './vscode/active.ts';
import { createAgentsView } from './vscode/agents-view.ts';
import { createChangesView } from './vscode/changes-view.ts';
import type { ChatPanels } from './vscode/chat-panels.ts';
import { chatCommands } from './vscode/commands/chat.ts';
import { connectionCommands } from './vscode/commands/connection.ts';
import { decide, register } from './vscode/commands/run.ts';
import { sandboxCommands } from './vscode/commands/sandbox.ts';
import { sessionCommands } from './vscode/commands/sessions.ts';
import { viewCommands } from './vscode/commands/view.ts';
import { keepContextKeys } from './vscode/context-keys.ts';
import { createDrafts } from './vscode/drafts.ts';
import { createSessionFiles, registerSessionFiles } from './vscode/files.ts';
import { createHttp } from './vscode/http.ts';
import { createLog } from './vscode/log.ts';
import { createNotifications } from './vscode/notifications.ts';
import { createSessionsView } from './vscode/sessions-view.ts';
import { affects } from './vscode/settings.ts';
import { createSignIn } from './vscode/sign-in.ts';
import { createStatusBar } from './vscode/status-bar.ts';
import { createSurroundings } from './vscode/surroundings.ts';
import type { Terminals } from './vscode/terminals.ts';
import { registerLinks } from './vscode/uri-handler.ts';

const chatViewType = 'berth.session';

/** Builds everything, top to bottom in the order of dependence. Awaits nothing: what needs the server waits for it elsewhere. */
export function createContainer(context: vscode.ExtensionContext): { hub: Hub } {
  const { subscriptions, workspaceState } = context;
  const log = createLog(subscriptions);
  const onError = (what: string, error: unknown) => log.error(what, error);
  const drafts = createDrafts(workspaceState);
  const http = createHttp(log);
  const signIn = createSignIn({
    context,
    fetch: http.fetch,
    hub: () => hub,
    beforeDialog: () => drafts.flush(),
  });
  const hub = createHub({
    find: signIn.find,
    connect: http.connect,
    fetch: http.fetch,
    newId: randomUUID,
    clock: systemClock,
    timers: systemTimers,
    log,
  });
  subscriptions.push(new vscode.Disposable(() => hub.close()));
  const active = createActive();
  const desk = { hub, active, log };

  const files = createSessionFiles(hub, subscriptions);
  subscriptions.push(registerSessionFiles(files));
  const view = createSessionsView({ hub, active, subscriptions });
  createAgentsView(hub, subscriptions);
  const changes = createChangesView({ hub, active, files, onError, subscriptions });
  createStatusBar(hub, subscriptions);
  keepContextKeys(hub, active, subscriptions);

  // Chats and terminals are made when the first one is wanted.
  const terminals = once(async (): Promise<Terminals> => {
    const { createTerminals } = await import('./vscode/terminals.ts');
    return createTerminals({
      hub,
      active,
      connect: http.connect,
      state: workspaceState,
      onError,
      subscriptions,
    });
  });
  let openPanels: ChatPanels | null = null;
  const panels = once(async (): Promise<ChatPanels> => {
    const { createChatPanels } = await import('./vscode/chat-panels.ts');
    const around = createSurroundings({ terminals, changedFiles: changes.read, signIn });
    const { extensionUri } = context;
    openPanels = createChatPanels({ hub, active, around, drafts, extensionUri, onError });
    subscriptions.push(openPanels);
    return openPanels;
  });
  subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(chatViewType, {
      deserializeWebviewPanel: async (panel, state: unknown) =>
        (await panels()).deserializeWebviewPanel(panel, state),
    }),
    registerLinks(log),
    // A person is back, or the laptop woke up: no waiting for the next attempt.
    vscode.window.onDidChangeWindowState(({ focused }) => {
      if (focused && hub.state.get().server.kind !== 'online') hub.look();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (affects(event, 'server')) hub.look();
    }),
  );
  createNotifications({
    hub,
    visibleSessions: () => openPanels?.visible() ?? new Set(),
    open: async (sessionId) => (await panels()).open(sessionId),
    decide: (id, revision, optionId) => decide(desk, { id, revision }, optionId),
    onError,
    subscriptions,
  });
  const tables = [
    connectionCommands(desk, { context, signIn, terminals }),
    sessionCommands(desk, { panels, reveal: view.reveal }),
    chatCommands(desk, { panels }),
    sandboxCommands(desk, { terminals, changes }),
    viewCommands(desk, view),
  ];
  for (const table of tables) register(desk, table, subscriptions);

  hub.look();
  if (workspaceState.get('berth.terminals') !== undefined)
    terminals()
      .then((made) => made.restore())
      .catch((error: unknown) => onError('terminals', error));
  return { hub };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => (made ??= make());
}
