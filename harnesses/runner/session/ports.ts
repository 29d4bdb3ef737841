import type { ContentBlock } from '@berth/contract';
import type { SessionSpec } from '@berth/contract/link';
import type { Door } from '../agentd/ports.ts';
import type { Base } from '../git/base.ts';
import type { Terminals } from '../terminals/terminals.ts';

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
