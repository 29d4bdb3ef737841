import { createHash } from 'node:crypto';
import { realAgents } from '../support/real-agents.ts';
import { modeOf, rehearsalPrompt, type Mode, type Prompt } from './plan.ts';
import type { Random } from './random.ts';

/** One prompt that an agent received, over all its lives, as it says itself. */
export interface Received {
  readonly n: number;
  readonly sha256: string;
  readonly text: string;
}
/** One kind of agent in the suite: what it is told, and how it is asked at the end what it was told. */
export interface Kind {
  readonly harness: string;
  readonly model: string | null;
  mode(session: number): Mode;
  readonly prompt: (mark: string, draw: Random, hangs: boolean) => Prompt;
  readonly diary: { ask: string; read(reply: string): Received[] };
  /** All that it says and runs follows from its prompt; else only what it received is looked at. */
  readonly exact: boolean;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const rehearsal: Kind = {
  harness: 'rehearsal',
  model: null,
  mode: modeOf,
  prompt: rehearsalPrompt,
  diary: {
    ask: '/diary',
    read: (reply) =>
      reply
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Received),
  },
  exact: true,
};

/** A real agent with a model that does what the words of the prompt say; asked, it recites every message that a user sent. */
export const real = (harness: string): Kind => ({
  harness,
  model: realAgents.find(({ id }) => id === harness)?.model ?? 'scripted',
  mode: () => 'auto',
  prompt(mark, draw, hangs) {
    const work = hangs
      ? 'HANG'
      : draw.weighted([
          [`STREAM ${String(draw.int(10, 80))} ${String(draw.int(2, 15))}`, 4],
          [`SHELL echo ${mark} >> ran.txt`, 1],
          ['and what do you say to that?', 1],
        ] as const);
    const text = `${mark} is the name of this message.\n${work}`;
    return { mark, text, sha256: sha256(text), says: [], runs: false, hangs };
  },
  diary: {
    ask: 'RECALL',
    read: (reply) =>
      reply.split(' ¦ ').map((text, n) => ({ n, text, sha256: sha256(text.trim()) })),
  },
  exact: false,
});
