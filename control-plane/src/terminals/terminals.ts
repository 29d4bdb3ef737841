import type { CreateTerminal, Session, Terminal, TerminalScreen } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { Clock } from '../clock.ts';
import type { Actor } from '../identity/index.ts';
import type { NewId } from '../ids.ts';
import type { RunnerStreams } from '../runners/index.ts';
import type { RunnerPort, Sessions } from '../sessions/index.ts';
import type { Store } from '../store/index.ts';
import { bridge } from './bridge.ts';
import {
  closeTerminal,
  closeTerminalsOf,
  findTerminal,
  insertTerminal,
  listTerminals,
} from './terminals.store.ts';
import type { TerminalViewer } from './viewer.ts';

export interface Terminals {
  list(actor: Actor, sessionId: string): Promise<Terminal[]>;
  /** A session that is suspended stays so: `sandbox-not-ready`. */
  open(actor: Actor, sessionId: string, input: CreateTerminal, id?: string): Promise<Terminal>;
  close(actor: Actor, terminalId: string): Promise<void>;
  screen(actor: Actor, terminalId: string): Promise<TerminalScreen>;
  /** Resolves when the viewer or the terminal is gone. */
  attach(
    actor: Actor,
    terminalId: string,
    at: { cols: number; rows: number; offset?: number },
    viewer: TerminalViewer,
    signal: AbortSignal,
  ): Promise<void>;
  /** Its sandbox is gone or stopped, and every terminal with it. */
  sessionEnded(sessionId: string, reason: string): Promise<void>;
}

const listMax = 200;

export function createTerminals(options: {
  store: Store;
  clock: Clock;
  newId: NewId;
  runner: Pick<RunnerPort, 'call'>;
  streams: RunnerStreams;
  sessions: () => Pick<Sessions, 'get' | 'own'>;
}): Terminals {
  const { store, clock, newId, runner, streams, sessions } = options;
  const now = () => new Date(clock.now());

  async function found(actor: Actor, terminalId: string): Promise<Terminal> {
    const terminal = await findTerminal(store, actor.teamId, terminalId);
    if (terminal === null) throw new Problem('not-found', 'No such terminal.');
    return terminal;
  }
  async function living(actor: Actor, terminalId: string): Promise<Terminal> {
    const terminal = await found(actor, terminalId);
    if (terminal.state === 'closed')
      throw new Problem('terminal-closed', terminal.reason ?? 'The terminal has ended.');
    return terminal;
  }
  /** The runner is the one that knows: a terminal that it has not is closed here too. */
  async function orClosed<T>(terminal: Terminal, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const code = error instanceof Problem ? error.code : undefined;
      if (code !== 'not-found' && code !== 'terminal-closed') throw error;
      const reason = 'It ended while nobody was told.';
      await closed(terminal.sessionId, terminal.id, reason);
      throw new Problem('terminal-closed', 'The terminal has ended.', { cause: error });
    }
  }

  const closed = (sessionId: string, terminalId: string, reason: string): Promise<void> =>
    closeTerminal(store, sessionId, terminalId, { reason, at: now() });

  return {
    async list(actor, sessionId) {
      await sessions().get(actor, sessionId);
      return listTerminals(store, actor.teamId, sessionId, listMax);
    },

    async open(actor, sessionId, { kind, cols, rows }, id = newId()) {
      refuseUnready(await sessions().own(actor, sessionId));
      // Asked for before by somebody who died before the answer: what ended meanwhile has ended.
      const known = await findTerminal(store, actor.teamId, id);
      if (known?.exitCode !== undefined) return known;
      // The row first: when the runner tells that it opened, everybody may ask for it.
      const terminal = await insertTerminal(store, {
        id,
        teamId: actor.teamId,
        sessionId,
        kind,
        cols,
        rows,
        createdById: actor.userId,
        createdByName: actor.userName,
        createdAt: now(),
      });
      const by = { id: actor.userId, name: actor.userName };
      const params = { terminalId: terminal.id, kind, cols, rows, by };
      try {
        await runner.call(sessionId, 'terminal.open', params);
      } catch (error) {
        const reason = error instanceof Problem ? error.detail : 'It could not be opened.';
        await closed(sessionId, terminal.id, reason);
        throw error;
      }
      // It may have ended already: a shell that cannot start says so at once.
      return found(actor, terminal.id);
    },

    async close(actor, terminalId) {
      const terminal = await found(actor, terminalId);
      await sessions().own(actor, terminal.sessionId);
      if (terminal.state === 'closed') return;
      try {
        await runner.call(terminal.sessionId, 'terminal.close', { terminalId });
      } catch (error) {
        const code = error instanceof Problem ? error.code : undefined;
        if (code !== 'not-found' && code !== 'terminal-closed') throw error;
      }
      const reason = `Closed by ${actor.userName}.`;
      await closed(terminal.sessionId, terminalId, reason);
    },

    async screen(actor, terminalId) {
      const terminal = await living(actor, terminalId);
      return orClosed(terminal, () =>
        runner.call(terminal.sessionId, 'terminal.screen', { terminalId }),
      );
    },

    async attach(actor, terminalId, at, viewer, signal) {
      const terminal = await living(actor, terminalId);
      await sessions().own(actor, terminal.sessionId);
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      await orClosed(terminal, async () => {
        const purpose = { kind: 'terminal' as const, terminalId, ...at };
        const stream = await streams.open(terminal.sessionId, purpose, either);
        await bridge(stream, viewer, over);
      });
    },

    sessionEnded: (sessionId, reason) => closeTerminalsOf(store, sessionId, { reason, at: now() }),
  };
}

function refuseUnready(session: Session): void {
  if (session.archivedAt !== undefined)
    throw new Problem('session-archived', 'The session is archived.');
  const { status, sandbox } = session;
  const stopping = status === 'suspending' || status === 'suspended';
  if (!stopping && (sandbox.phase === 'ready' || sandbox.phase === 'agent-starting')) return;
  throw new Problem(
    'sandbox-not-ready',
    stopping
      ? 'The session is suspended: resume it first.'
      : `The sandbox is not ready yet (${sandbox.phase}).`,
  );
}
