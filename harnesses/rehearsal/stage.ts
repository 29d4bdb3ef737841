import type { PermissionOption, SessionUpdate, ToolCallUpdate } from '@agentclientprotocol/sdk';
import type { DiaryEntry, Mode } from './store.ts';

/** What a command acts on. Implemented by the ACP agent and by the terminal. */
export interface Stage {
  readonly cwd: string;
  readonly signal: AbortSignal;
  mode(): Mode;
  /** Throws `Cancelled` after the signal: nothing is said after a cancel. */
  update(update: SessionUpdate): Promise<void>;
  /** The option that a person chose; null when the question was taken back. */
  ask(toolCall: ToolCallUpdate, options: PermissionOption[]): Promise<string | null>;
  /** Everything said so far is on disk before this returns. */
  sync(): void;
  diary(): DiaryEntry[];
  newId(): string;
  exit(code: number): void;
  /** Kinds of tools that a person allowed for good. */
  readonly allowed: Set<string>;
}

export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}
/** `/fail`: ends the turn with an error. */
export class Failed extends Error {
  override readonly name = 'Failed';
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new Cancelled();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(new Cancelled());
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
