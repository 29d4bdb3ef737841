import { random } from './random.ts';
import type { Cut } from './proxy.ts';

export const victims = ['agent', 'runner', 'sandbox', 'control-plane', 'postgres', 'link'] as const;
export type Victim = (typeof victims)[number];

export interface Kill {
  readonly index: number;
  /** Usually one; two die in the same instant. */
  readonly victims: readonly Victim[];
  /** Whose events are counted, and whose agent or sandbox it is. */
  readonly session: number;
  /** After this many events or requests of that session. */
  readonly moment: { on: 'event' | 'request'; count: number; delayMs: number };
  /** The tree of the agent, not only its main process; the first process of the sandbox, not agentd. */
  readonly whole: boolean;
  readonly cut: Cut;
  readonly stallMs: number;
  /** How long the control plane stays away. */
  readonly downMs: number;
  /** Waits until the session goes on before the next one; else the next may come in the middle of the recovery. */
  readonly rest: boolean;
}

/** Pure. Which victim, at which moment, how: all of it from the seed. */
export function schedule(
  seed: number,
  options: { kills: number; sessions: number; only?: readonly Victim[] },
): Kill[] {
  const chosen = options.only ?? victims;
  const weights: Record<Victim, number> = {
    agent: 6,
    runner: 4,
    sandbox: 3,
    'control-plane': 4,
    postgres: 3,
    link: 3,
  };
  const weighted = chosen.map((victim) => [victim, weights[victim]] as const);
  return Array.from({ length: options.kills }, (_, index) => {
    const draw = random(seed, `kill ${String(index)}`);
    const first = draw.weighted(weighted);
    const second = draw.weighted(weighted);
    const two = draw.chance(0.15) && second !== first;
    const on = draw.weighted([
      ['event', 3],
      ['request', 2],
    ] as const);
    return {
      index,
      victims: two ? [first, second] : [first],
      session: draw.int(0, options.sessions - 1),
      moment: {
        on,
        count: on === 'event' ? draw.int(1, 25) : draw.int(1, 2),
        delayMs: draw.weighted([
          [0, 3],
          [draw.int(1, 40), 3],
        ] as const),
      },
      whole: draw.chance(0.5),
      cut: draw.pick(['cut', 'mid-frame', 'stall'] as const),
      stallMs: draw.int(100, 2500),
      downMs: draw.pick([0, 0, 200, 1500]),
      rest: draw.chance(0.7),
    };
  });
}
