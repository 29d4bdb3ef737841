import { Problem, type Approval } from '@berth/contract';
import { codeOf, type BerthClient } from '../../client/index.ts';
import { persist } from './person.ts';
import { answerTo, isContested } from './plan.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

export interface Answered {
  readonly approvalId: string;
  readonly sessionId: string;
  readonly by: string;
  readonly optionId: string;
  /** `lost`: the answer to the answer never came, so that either may be true. */
  readonly outcome: 'won' | 'refused' | 'lost';
  /** What a person who was too late was told. */
  readonly told?: { optionId: string | undefined; by: string | undefined };
}
export interface Approver extends AsyncDisposable {
  readonly answered: readonly Answered[];
  readonly faults: readonly string[];
}
export interface Colleague {
  readonly name: string;
  readonly client: () => BerthClient;
}

const lookMs = 100;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const optionFor = ({ title, options }: Approval): string => {
  const wanted = [answerTo(title), 'Allow'];
  return (options.find(({ name }) => wanted.includes(name)) ?? options[0])?.optionId ?? '';
};

/** The people with the inbox: they answer every question as the plan expects, sometimes a little later, sometimes both at once, sometimes each in another way. */
export function openApprover(options: {
  people: readonly [Colleague, Colleague];
  /** Null: a session of somebody else. */
  indexOf: (sessionId: string) => number | null;
  random: Random;
  timeline: Timeline;
}): Approver {
  const { people, random, timeline } = options;
  const [first, second] = people;
  const answered: Answered[] = [];
  const faults: string[] = [];
  const known = new Set<string>();
  const work = new Set<Promise<void>>();
  const closing = new AbortController();

  async function decide(who: Colleague, approval: Approval, optionId: string): Promise<void> {
    const { id, sessionId, revision } = approval;
    let tries = 0;
    let told: Answered['told'];
    const outcome = await persist(
      'decide',
      60_000,
      (signal) => {
        tries++;
        return who.client().approvals.decide(id, { optionId, revision }, { signal });
      },
      (text) => {
        faults.push(text);
      },
    ).then(
      (): Answered['outcome'] => 'won',
      (error: unknown): Answered['outcome'] => {
        const code = codeOf(error);
        if (code !== 'already-decided' && code !== 'not-found')
          faults.push(`approval ${id}: ${String(error)}`);
        const decision = error instanceof Problem ? error.extra.decision : undefined;
        if (decision?.by !== undefined)
          told = { optionId: decision.optionId, by: decision.by.name };
        return tries > 1 ? 'lost' : 'refused';
      },
    );
    const index = options.indexOf(sessionId);
    timeline.add(index, `> ${who.name} decides ${id.slice(-12)} ${optionId}: ${outcome}`);
    const entry = { approvalId: id, sessionId, by: who.name, optionId, outcome };
    answered.push(told === undefined ? entry : { ...entry, told });
  }
  async function answer(approval: Approval): Promise<void> {
    await pause(
      random.weighted([
        [0, 3],
        [random.int(1, 400), 1],
      ] as const),
    );
    const [one, other] = approval.options.map(({ optionId }) => optionId);
    const twice = random.chance(0.2);
    if (isContested(approval.title) && one !== undefined && other !== undefined)
      await Promise.all([decide(first, approval, one), decide(second, approval, other)]);
    else
      await Promise.all(
        (twice ? [first, second] : [first]).map((who) =>
          decide(who, approval, optionFor(approval)),
        ),
      );
  }

  const loop = (async () => {
    while (!closing.signal.aborted) {
      const page = await first
        .client()
        .approvals.list({ state: 'waiting', limit: 200, signal: AbortSignal.timeout(5000) })
        .catch(() => undefined); // away: asked again
      for (const approval of page?.items ?? []) {
        // Whether a message arrived is for whoever knows the agent's diary to say.
        if (known.has(approval.id) || approval.about === 'delivery') continue;
        known.add(approval.id);
        const task = answer(approval).finally(() => work.delete(task));
        work.add(task);
      }
      await pause(lookMs);
    }
  })();

  return {
    answered,
    faults,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await loop;
      await Promise.all(work);
    },
  };
}
