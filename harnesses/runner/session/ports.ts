import type { ContentBlock } from '@berth/contract';
import type { SessionSpec } from '@berth/contract/link';
import type { Agent, AgentEvents } from '../acp/agent.ts';
import type { Door } from '../agentd/ports.ts';
import type { Base } from '../git/base.ts';
import type { NewItem } from '../journal/journal.ts';
import type { Terminals } from '../terminals/terminals.ts';
import type { Replay } from './replay.ts';

/** One session on this machine: its sandbox's door, its agent, its terminals. */
export interface Session extends AsyncDisposable {
  readonly spec: SessionSpec;
  readonly door: Door;
  readonly terminals: Terminals;
  /** Refuses while the sandbox is not there. */
  base(): Base;
  /** Resolves when the turn can no longer be lost. */
  turn(turnId: string, prompt: ContentBlock[]): Promise<void>;
  cancel(turnId: string): Promise<void>;
  decide(approvalId: string, optionId: string): void;
  restartAgent(): void;
  takeBack(): Promise<void>;
  setMode(mode: string): Promise<void>;
  setModel(model: string): Promise<void>;
  quiesce(): Promise<void>;
  /** It was bound once more: whoever wanted it to stop wants it to go on. */
  resume(): void;
  /** While `work` runs, no agent does; afterwards the workspace is what the base is made of. Answers its number of files. */
  replaceWorkspace(work: () => Promise<void>): Promise<number>;
  journalChanged(): void;
  agentLines(): string[];
}

/** What the agent says becomes entries of the journal, and what people say reaches the agent. One at a time has the agent's process. */
export interface Conversation {
  readonly events: AgentEvents;
  /** Berth's name of it. An agent may go over to another by itself, and begins with that one when it comes back. */
  readonly mode: string;
  /** While set, the agent's updates are a replay and no events. */
  replay: Replay | null;
  /** What an open turn is to be given next, after a settlement. */
  next: 'again' | 'go-on' | 'remind' | null;
  readonly put: (...items: NewItem[]) => void;
  readonly notice: (code: string, text: string) => void;
  /** Gives the current turn to the agent and sees it to its end. */
  deliver(agent: Agent, sessionId: string): Promise<void>;
  /** Stops the running turn. True: the agent was told and has not answered in time: end its process. */
  cancel(agent: Agent | null, turnId: string): Promise<boolean>;
  decide(approvalId: string, optionId: string): void;
  /** The agent is no more: nothing of it is open any longer. */
  closeOpen(): void;
  endTurn(turnId: string, payload: Record<string, unknown>, raw?: string): void;
  setMode(mode: string): void;
}
