import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Asked, Json } from './mind.ts';

/** One event of a stream; `event` is its name, where the protocol has names. */
export type Send = (data: unknown, event?: string) => void;

/** One of the ways in which agents speak to a model, with the fewest events that the real agents need. */
export interface Protocol {
  /** Whether this path of a POST is a call of it. */
  takes(path: string): boolean;
  read(body: Json): Asked;
  stream(answer: Answer, send: Send, gone: AbortSignal): Promise<void>;
  /** The same at once, for a client that did not ask for a stream. Without it everybody gets a stream. */
  whole?(answer: Answer): unknown;
  /** Model and streaming, where they stand in the path instead of the body. */
  model?(path: string): string;
  streams?(path: string): boolean;
}

const forEver = 2 ** 31 - 1;
/** The words at their pace; then, if it is asked for, nothing more. */
export async function speak(
  answer: Extract<Answer, { kind: 'text' }>,
  say: (word: string) => void,
  gone: AbortSignal,
): Promise<void> {
  for (const word of answer.words) {
    say(word);
    if (answer.everyMs > 0) await pause(answer.everyMs, undefined, { signal: gone });
  }
  if (answer.hang) await pause(forEver, undefined, { signal: gone });
}

let calls = 0;
/** A number that no other call of this process has. */
export const nextCall = (): number => ++calls;
