import { createHash } from 'node:crypto';
import { idOf, random, type Random } from './random.ts';

/** A message to the rehearsal agent, and all that it must say to it. */
export interface Prompt {
  readonly mark: string;
  readonly text: string;
  readonly sha256: string;
  /** Its messages, in order, when nothing is killed. `asked`: its answer to this question is what the log says was decided. */
  readonly says: readonly (string | { asked: string })[];
  /** It runs `echo <mark> >> ran.txt`: leaves its mark once and never twice. */
  readonly runs: boolean;
  /** It never ends by itself. */
  readonly hangs: boolean;
}
export interface PlannedTurn {
  readonly id: string;
  /** Unique in the run. */
  readonly mark: string;
  readonly prompt: Prompt;
}

/** What a person does next. Each step begins when the one before is over. */
export type Step =
  /** Sent one after the other, so that all but the first wait in the queue. `twice`: each request is made twice at once. */
  | { do: 'talk'; turns: readonly PlannedTurn[]; twice: boolean }
  /** Stopped after this many of its events. */
  | { do: 'cancel'; turn: PlannedTurn; afterEvents: number }
  /** The last is taken back while it waits, if that is still possible. */
  | { do: 'withdraw'; turns: readonly PlannedTurn[] }
  /** The last becomes the first that waits, if that is still possible. */
  | { do: 'reorder'; turns: readonly PlannedTurn[] }
  /** The last gets another text while it waits, if that is still possible. */
  | { do: 'edit'; turns: readonly PlannedTurn[]; instead: Prompt }
  | { do: 'suspend'; turn: PlannedTurn; waitMs: number }
  | { do: 'terminal'; close: boolean };

export type Mode = 'ask' | 'auto';
export const modeOf = (session: number): Mode => (session % 2 === 0 ? 'auto' : 'ask');

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const streamed = (count: number): string =>
  Array.from({ length: count }, (_, index) => `w${String(index + 1)}`).join(' ');

/** The same title is answered in the same way, so that the outcome is known before. */
export const answerTo = (title: string): 'yes' | 'no' =>
  (createHash('sha256').update(title).digest()[0] ?? 0) % 2 === 0 ? 'yes' : 'no';

/** Two people answer it at the same time, each in another way: whoever is first decides. */
export const isContested = (title: string): boolean => title.endsWith('who is faster?');

export function rehearsalPrompt(mark: string, draw: Random, hangs: boolean): Prompt {
  const lines = [`/say ${mark} begins`];
  const says: (string | { asked: string })[] = [`${mark} begins`];
  let runs = false;
  const add = {
    stream() {
      const count = draw.int(5, 50);
      lines.push(`/stream ${String(count)} ${String(draw.int(1, 15))}`);
      says.push(streamed(count));
    },
    think: () => lines.push(`/think ${mark} thinks`),
    write: () => lines.push(`/write ${mark}.txt ${mark}`),
    run() {
      if (runs) return;
      runs = true;
      lines.push(`/run echo ${mark} >> ran.txt`);
    },
    ask() {
      const contested = draw.chance(0.4);
      const end = contested ? 'who is faster?' : 'go on?';
      const title = `${mark}: question ${String(lines.length)}, ${end}`;
      lines.push(`/ask ${title} | yes | no`);
      says.push(contested ? { asked: title } : `You chose: ${answerTo(title)}`);
    },
    plan: () => lines.push(`/plan ${mark} first; ${mark} second`),
    usage: () => lines.push('/usage 10 20'),
    sleep: () => lines.push(`/sleep ${String(draw.int(5, 120))}`),
  };
  for (let left = draw.int(1, 4); left > 0; left--)
    add[
      draw.weighted([
        ['stream', 5],
        ['run', 2],
        ['ask', 2],
        ['write', 1],
        ['think', 1],
        ['plan', 1],
        ['usage', 1],
        ['sleep', 1],
      ] as const)
    ]();
  if (hangs) lines.push('/hang');
  else {
    lines.push(`/say ${mark} ends`);
    says.push(`${mark} ends`);
  }
  const text = lines.join('\n');
  return { mark, text, sha256: sha256(text), says, runs, hangs };
}

export interface Plan {
  step(index: number): Step;
}

/** Pure. What happens in one session, from the seed alone; as long as anybody asks. */
export function createPlan(
  seed: number,
  session: number,
  promptOf: (mark: string, draw: Random, hangs: boolean) => Prompt,
): Plan {
  function step(index: number): Step {
    const name = `s${String(session)}t${String(index)}`;
    const draw = random(seed, name);
    const turn = (part: string, hangs = false): PlannedTurn => ({
      id: idOf(seed, `${name}${part}`),
      mark: `${name}${part}`,
      prompt: promptOf(`${name}${part}`, draw, hangs),
    });
    const kind = draw.weighted([
      ['talk', 10],
      ['cancel', 3],
      ['withdraw', 2],
      ['edit', 2],
      ['reorder', 2],
      ['suspend', 1],
      ['terminal', 1],
    ] as const);
    switch (kind) {
      case 'talk': {
        const count = draw.weighted([
          [1, 4],
          [2, 3],
          [4, 2],
        ] as const);
        const turns = ['a', 'b', 'c', 'd'].slice(0, count).map((part) => turn(part));
        return { do: 'talk', turns, twice: draw.chance(0.2) };
      }
      case 'cancel':
        return { do: 'cancel', turn: turn('a', true), afterEvents: draw.int(0, 12) };
      case 'withdraw':
        return { do: 'withdraw', turns: [turn('a'), turn('b')] };
      case 'edit':
        return {
          do: 'edit',
          turns: [turn('a'), turn('b')],
          instead: promptOf(`${name}e`, draw, false),
        };
      case 'reorder':
        return { do: 'reorder', turns: [turn('a'), turn('b'), turn('c')] };
      case 'suspend':
        return { do: 'suspend', turn: turn('a'), waitMs: draw.pick([0, 0, 300, 1500]) };
      case 'terminal':
        return { do: 'terminal', close: draw.chance(0.7) };
    }
  }
  return { step };
}
