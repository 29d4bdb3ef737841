import { attachTerminal, explain, type Connect } from '@berth/client';
import type { Terminal as ServerTerminal } from '@berth/contract';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import { systemClock, systemTimers } from '../common/clock.ts';
import type { Hub, Link } from '../common/hub.ts';
import { createTerminalLink, type TerminalLink } from '../common/terminal-link.ts';
import { toldExit } from '../common/terminal-text.ts';
import { cut, plain } from '../common/words.ts';
import type { Active } from './active.ts';
import { settings } from './settings.ts';
import type { Subscriptions } from './subscriptions.ts';

const storeKey = 'berth.terminals';
const keptMax = 20;
const linkMs = 20_000;
const stored = z.array(
  z.object({
    terminalId: z.string(),
    sessionId: z.string(),
    kind: z.enum(['agent', 'shell']),
    name: z.string(),
  }),
);
type Kept = z.infer<typeof stored>[number];

interface Window {
  readonly terminal: vscode.Terminal;
  readonly sessionId: string;
  readonly kind: ServerTerminal['kind'];
  terminalId: string | null;
  readonly link: TerminalLink;
}
export interface Terminals {
  open(sessionId: string, kind: ServerTerminal['kind']): Promise<void>;
  /** Those that were open here before the window was loaded again. */
  restore(): Promise<void>;
  reconnectNow(): void;
}

/** Terminals of the editor on terminals of a sandbox. Closing one detaches: what runs in it goes on, and the next one joins it. */
export function createTerminals(options: {
  hub: Hub;
  active: Active;
  connect: Connect;
  state: vscode.Memento;
  onError: (what: string, error: unknown) => void;
  subscriptions: Subscriptions;
}): Terminals {
  const { hub, state } = options;
  const windows = new Set<Window>();

  const load = (): readonly Kept[] => {
    const read = z.safeParse(stored, state.get(storeKey));
    return read.success ? read.data : [];
  };
  const save = (): void => {
    const kept = [...windows].flatMap(({ terminalId, sessionId, kind, terminal }): Kept[] =>
      terminalId === null ? [] : [{ terminalId, sessionId, kind, name: terminal.name }],
    );
    Promise.resolve(state.update(storeKey, kept.slice(-keptMax))).catch((error: unknown) =>
      options.onError('terminals', error),
    );
  };
  const linked = async (): Promise<Link> => {
    const link = hub.link ?? (await hub.whenLinked(linkMs));
    if (link === null) throw new Error('no Berth server answers');
    return link;
  };

  function show(
    of: {
      sessionId: string;
      kind: ServerTerminal['kind'];
      name: string;
      terminalId: string | null;
    },
    preserveFocus: boolean,
  ): void {
    const written = new vscode.EventEmitter<string>();
    const resized = new vscode.EventEmitter<vscode.TerminalDimensions | undefined>();
    const renamed = new vscode.EventEmitter<string>();
    const closed = new vscode.EventEmitter<number | undefined>();
    let link: Link | null = null;
    const terminalLink = createTerminalLink({
      name: of.name,
      terminalId: async (size) => {
        link = await linked();
        if (of.terminalId !== null) return of.terminalId;
        const { id } = await link.client.terminals.open(of.sessionId, { kind: of.kind, ...size });
        window.terminalId = id;
        save();
        return id;
      },
      attach: (terminalId, size) => {
        const client = (hub.link ?? link)?.client;
        if (!client) throw new Error('attached without a server');
        return attachTerminal({ client, connect: options.connect, terminalId, size });
      },
      window: {
        write: (text) => written.fire(text),
        overrideSize: (size) =>
          resized.fire(size === null ? undefined : { columns: size.cols, rows: size.rows }),
        rename: (name) => renamed.fire(name),
        exited: (code) => closed.fire(toldExit(of.kind, code)),
      },
      explain,
      clock: systemClock,
      timers: systemTimers,
    });
    const pty: vscode.Pseudoterminal = {
      onDidWrite: written.event,
      onDidOverrideDimensions: resized.event,
      onDidChangeName: renamed.event,
      onDidClose: closed.event,
      open: (size) => {
        if (size) terminalLink.resize({ cols: size.columns, rows: size.rows });
      },
      setDimensions: (size) => terminalLink.resize({ cols: size.columns, rows: size.rows }),
      handleInput: (text) => terminalLink.input(text),
      close: () => {
        terminalLink.close();
        for (const emitter of [written, resized, renamed, closed]) emitter.dispose();
      },
    };
    const terminal = vscode.window.createTerminal({
      name: of.name,
      pty,
      // Restored by us: the editor would bring back a dead window.
      isTransient: true,
      iconPath: new vscode.ThemeIcon(of.kind === 'agent' ? 'robot' : 'terminal'),
      location:
        settings.terminalLocation() === 'editor'
          ? { viewColumn: vscode.ViewColumn.Beside, preserveFocus }
          : vscode.TerminalLocation.Panel,
    });
    const window: Window = {
      terminal,
      sessionId: of.sessionId,
      kind: of.kind,
      terminalId: of.terminalId,
      link: terminalLink,
    };
    windows.add(window);
    save();
    terminal.show(preserveFocus);
  }

  options.subscriptions.push(
    vscode.window.onDidCloseTerminal((terminal) => {
      const window = [...windows].find((one) => one.terminal === terminal);
      if (!window) return;
      windows.delete(window);
      // The whole window goes: then the list is what brings the terminals back.
      if (terminal.exitStatus?.reason !== vscode.TerminalExitReason.Shutdown) save();
    }),
    vscode.window.onDidChangeActiveTerminal((terminal) => {
      const window = [...windows].find((one) => one.terminal === terminal);
      if (window) options.active.set(window.sessionId);
    }),
    new vscode.Disposable(() => {
      for (const { link } of windows) link.close();
    }),
  );

  return {
    async open(sessionId, kind) {
      if (!vscode.workspace.isTrusted) {
        const manage = vscode.l10n.t('Manage Trust');
        const answer = await vscode.window.showWarningMessage(
          vscode.l10n.t('Terminals open only in a trusted workspace. The chat works without it.'),
          manage,
        );
        if (answer === manage) await vscode.commands.executeCommand('workbench.trust.manage');
        return;
      }
      const link = await linked();
      const shown = [...windows].filter((one) => one.sessionId === sessionId && one.kind === kind);
      const first = shown[0];
      // There is one conversation to look at; shells there may be many.
      if (first && kind === 'agent') {
        first.terminal.show();
        return;
      }
      const running = (await link.client.terminals.list(sessionId)).filter(
        (one) => one.kind === kind && one.state === 'open',
      );
      const free = running.find(({ id }) => !shown.some((one) => one.terminalId === id));
      const session = hub.state.get().sessions.get(sessionId);
      const title = cut(plain(session?.title ?? sessionId), 24);
      const name = kind === 'agent' ? title : `${title}: shell`;
      show({ sessionId, kind, name, terminalId: free?.id ?? null }, false);
    },
    async restore() {
      if (!settings.restoreTerminals() || !vscode.workspace.isTrusted) return;
      const kept = load();
      if (kept.length === 0) return;
      const link = await hub.whenLinked(linkMs);
      if (link === null) return;
      const open = new Set<string>();
      for (const sessionId of new Set(kept.map((one) => one.sessionId))) {
        try {
          const list = await link.client.terminals.list(sessionId);
          for (const { id, state: now } of list) if (now === 'open') open.add(id);
        } catch (error) {
          options.onError('a terminal could not be restored', error);
        }
      }
      for (const one of kept) if (open.has(one.terminalId)) show(one, true);
      save();
    },
    reconnectNow() {
      for (const { link } of windows) link.reconnectNow();
    },
  };
}
