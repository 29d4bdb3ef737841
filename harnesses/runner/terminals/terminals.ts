import { DoorError, type Door, type Process, type ProcessHandlers } from '../agentd/ports.ts';
import type { ProcessView } from '../../agentd/protocol.ts';
import { Refusal } from '../git/base.ts';
import type { Journal, NewItem } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import type { Screens } from '../screen/index.ts';
import { createTerminal, type Terminal } from './terminal.ts';

export interface OpenTerminal {
  terminalId: string;
  kind: 'agent' | 'shell';
  cols: number;
  rows: number;
  by: { id: string; name: string };
}
/** The PTYs of one session. They outlive the agent's process, the runner (in agentd) and every viewer. */
export interface Terminals {
  open(request: OpenTerminal): Promise<void>;
  get(terminalId: string): Terminal;
  endOne(terminalId: string): void;
  /** Ends the terminal that has the conversation; resolves when it is back. */
  endAgent(): Promise<void>;
  /** Takes a terminal over that an earlier runner opened. */
  adopt(view: ProcessView): boolean;
  /** All that is left was adopted: what is not there has ended. */
  adopted(): void;
  close(): void;
}

const tagStart = 'terminal:';
const env = { TERM: 'xterm-256color', COLORTERM: 'truecolor' };

export function createTerminals(options: {
  door: Door;
  screens: Pick<Screens, 'open'>;
  journal: Pick<Journal, 'ledger'>;
  put: (...items: NewItem[]) => void;
  log: (fields: Record<string, unknown>, message: string) => void;
  /** How the agent's own TUI opens this conversation. Refuses while that is not known. */
  launch: () => {
    kind: 'attach' | 'handover' | 'none';
    argv: string[];
    env: Record<string, string>;
  };
  /** Stops the agent, so that the TUI may have the conversation. Refuses in the middle of a turn. */
  handOver: () => Promise<void>;
  handedBack: () => void;
}): Terminals {
  const { door, journal, put, log } = options;
  const terminals = new Map<string, Terminal>();
  const opening = new Set<string>();
  let holder: string | null = null;
  let closed = false;
  const backs: (() => void)[] = [];

  function giveBack(): void {
    holder = null;
    options.handedBack();
    backs.splice(0).forEach((resolve) => resolve());
  }

  /** The handlers come before the terminal: its process must exist first. */
  function wire(id: string): {
    handlers: ProcessHandlers;
    made(terminal: Terminal, process: Process): void;
  } {
    let terminal: Terminal | undefined;
    let process: Process | undefined;
    const early: (() => void)[] = [];
    return {
      handlers: {
        output(bytes) {
          if (terminal) terminal.output(bytes);
          else {
            const own = Buffer.from(bytes);
            early.push(() => terminal?.output(own));
          }
        },
        exited(exit, lost) {
          const end = (): void => {
            if (!lost) {
              process?.kill('SIGKILL', true);
              process?.forget();
            }
            if (closed) return;
            terminal?.exited(exit);
            const reason = lost ? { reason: 'the sandbox ended' } : {};
            const code = exit.code === null ? {} : { exitCode: exit.code };
            put({ kind: 'terminal.closed', payload: { terminalId: id, ...code, ...reason } });
            if (holder === id) giveBack();
          };
          if (terminal) end();
          else early.push(end);
        },
      },
      made(made, its) {
        terminal = made;
        process = its;
        for (const act of early.splice(0)) act();
      },
    };
  }

  function add(
    id: string,
    kind: 'agent' | 'shell',
    process: Process,
    size: { cols: number; rows: number },
    from: number,
  ): Terminal {
    const screen = options.screens.open({ ...size, scrollback: limits.scrollback });
    const terminal = createTerminal({ id, kind, process, screen, ...size, from, log });
    terminals.set(id, terminal);
    return terminal;
  }

  function makeRoom(): void {
    if (terminals.size + opening.size < limits.terminals) return;
    const ended = [...terminals.values()].find(({ exit }) => exit !== undefined);
    if (!ended)
      throw new Refusal('too-many-terminals', `At most ${String(limits.terminals)} terminals.`);
    terminals.delete(ended.id);
    ended.dispose();
  }

  async function spawn(request: OpenTerminal): Promise<void> {
    const { terminalId: id, kind, cols, rows } = request;
    const tui = kind === 'agent' ? options.launch() : null;
    if (tui?.kind === 'none')
      throw new Refusal('no-terminal', 'This agent has no terminal of its own.');
    if (tui?.kind === 'handover') {
      if (holder !== null)
        throw new Refusal('agent-busy', 'Another terminal has the conversation.');
      holder = id;
    }
    try {
      if (tui?.kind === 'handover') await options.handOver();
      const tries = tui
        ? [tui.argv]
        : [
            ['bash', '-l'],
            ['sh', '-l'],
          ];
      const wired = wire(id);
      const start = { tag: `${tagStart}${id}`, cwd: '/workspace', pty: { cols, rows } };
      const process = await firstThatStarts(tries, (argv) =>
        door.spawn({ ...start, argv, env: { ...env, ...tui?.env } }, wired.handlers),
      );
      put({ kind: 'terminal.opened', payload: { terminalId: id, kind, by: request.by } });
      wired.made(add(id, kind, process, { cols, rows }, 0), process);
    } catch (error) {
      if (holder === id) giveBack();
      throw error;
    }
  }

  return {
    async open(request) {
      const id = request.terminalId;
      const known = terminals.get(id);
      if ((known && known.exit === undefined) || opening.has(id)) return; // asked twice
      if (known) {
        terminals.delete(id);
        known.dispose();
      }
      makeRoom();
      opening.add(id);
      try {
        await spawn(request);
      } finally {
        opening.delete(id);
      }
    },
    get(id) {
      const terminal = terminals.get(id);
      if (!terminal) throw new Refusal('not-found', 'There is no such terminal.');
      return terminal;
    },
    endOne(id) {
      const terminal = terminals.get(id);
      if (!terminal) return;
      if (!terminal.exit) {
        terminal.kill();
        return;
      }
      terminals.delete(id);
      terminal.dispose();
    },
    async endAgent() {
      if (holder === null) return;
      const back = new Promise<void>((resolve) => {
        backs.push(resolve);
      });
      terminals.get(holder)?.kill();
      await back;
    },
    adopt(view) {
      const id = view.tag.slice(tagStart.length);
      const kind = journal.ledger.terminals[id];
      if (!view.tag.startsWith(tagStart) || kind === undefined || terminals.has(id)) return false;
      const wired = wire(id);
      const process = door.adopt(view, wired.handlers);
      const size = { cols: view.cols ?? 80, rows: view.rows ?? 24 };
      wired.made(add(id, kind, process, size, view.ringFrom), process);
      if (kind === 'agent' && journal.ledger.holder === 'terminal') holder = id;
      return true;
    },
    adopted() {
      for (const id of Object.keys(journal.ledger.terminals))
        if (!terminals.has(id) && !opening.has(id))
          put({
            kind: 'terminal.closed',
            payload: { terminalId: id, reason: 'the sandbox ended' },
          });
      if (holder === null && journal.ledger.holder === 'terminal') giveBack();
    },
    close() {
      closed = true;
      for (const terminal of terminals.values()) terminal.dispose();
      terminals.clear();
    },
  };
}

async function firstThatStarts(
  tries: readonly string[][],
  start: (argv: string[]) => Promise<Process>,
): Promise<Process> {
  for (const [at, argv] of tries.entries()) {
    try {
      return await start(argv);
    } catch (error) {
      const missing = error instanceof DoorError && error.code === 'spawn-failed';
      if (!missing || at === tries.length - 1) throw error;
    }
  }
  throw new Refusal('no-terminal', 'This agent has no terminal of its own.');
}
