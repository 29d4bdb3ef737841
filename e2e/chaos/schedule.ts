import { random } from './random.ts';
import { cuts, type Cut } from './wire.ts';

/**
 * `link`: the network between the runner and the control plane. `people`: the one between people with their viewers and the control plane. `database`: the
 * one between the control plane and a PostgreSQL that is not its own. `machine`: everything at once, as when the power goes. `second`: another process of the
 * control plane on the same database. `holder`: whichever of the two has the runner's link, stopped until the other one has taken over.
 */
export const victims = [
  'agent',
  'runner',
  'sandbox',
  'control-plane',
  'second',
  'holder',
  'postgres',
  'link',
  'people',
  'database',
  'machine',
] as const;
export type Victim = (typeof victims)[number];

export interface Kill {
  readonly index: number;
  /** Usually one; two die in the same instant. */
  readonly victims: readonly Victim[];
  /** Whose events are counted, and whose agent or sandbox it is. */
  readonly session: number;
  /** After this many events or requests of that session. */
  readonly moment: { on: 'event' | 'request'; count: number; delayMs: number };
  /** Stopped for a while instead of killed, where that can be done: it does not know that time passes. */
  readonly freeze: boolean;
  /** The tree of the agent, not only its main process; the first process of the sandbox, not agentd. */
  readonly whole: boolean;
  readonly cut: Cut;
  /** How long a fault of the network or a freeze lasts. */
  readonly stallMs: number;
  /** How long the control plane stays away. */
  readonly downMs: number;
  /** Comes when all is well again, and the next one not before it is; else the next may come in the middle of the recovery. */
  readonly rest: boolean;
}

const weights: Record<Victim, number> = {
  agent: 6,
  runner: 4,
  sandbox: 3,
  'control-plane': 4,
  second: 2,
  holder: 2,
  postgres: 3,
  link: 4,
  people: 2,
  database: 3,
  machine: 1,
};

/** Pure. Which victim, at which moment, how: all of it from the seed. */
export function schedule(
  seed: number,
  options: { kills: number; sessions: number; only?: readonly Victim[] },
): Kill[] {
  const chosen = options.only ?? victims;
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
        count: on === 'event' ? draw.int(1, 15) : draw.int(1, 2),
        delayMs: draw.weighted([
          [0, 3],
          [draw.int(1, 40), 3],
        ] as const),
      },
      freeze: draw.chance(0.2),
      whole: draw.chance(0.5),
      cut: draw.pick(cuts),
      stallMs: draw.int(100, 2500),
      downMs: draw.pick([0, 0, 200, 1500]),
      rest: draw.chance(0.4),
    };
  });
}
