import type { Approval } from '@berth/contract';
import { codeOf, type BerthClient } from '../../client/index.ts';
import { persist } from './person.ts';
import { answerTo } from './plan.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

export interface Answered {
  readonly approvalId: string;
  readonly sessionId: string;
  readonly optionId: string;
  /** `lost`: the answer to the answer never came, so that either may be true. */
  readonly outcome: 'won' | 'refused' | 'lost';
}
export interface Approver extends AsyncDisposable {
  readonly answered: readonly Answered[];
  readonly faults: readonly string[];
}

const lookMs = 100;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const optionFor = ({ title, options }: Approval): string => {
  const wanted = [answerTo(title), 'Allow'];
  return (options.find(({ name }) => wanted.includes(name)) ?? options[0])?.optionId ?? '';
};

/** The person with the inbox: answers every question as the plan expects, sometimes a little later, sometimes two at once. */
export function openApprover(options: {
  client: () => BerthClient;
  /** Null: a session of somebody else. */
  indexOf: (sessionId: string) => number | null;
  random: Random;
  timeline: Timeline;
}): Approver {
  const { client, random, timeline } = options;
  const answered: Answered[] = [];
  const faults: string[] = [];
  const known = new Set<string>();
  const work = new Set<Promise<void>>();
  const closing = new AbortController();

  async function once(approval: Approval): Promise<void> {
    const { id, sessionId, revision } = approval;
    const optionId = optionFor(approval);
    const told = (text: string): void => {
      faults.push(text);
    };
    let tries = 0;
    const result = await persist(
      'decide',
      60_000,
      (signal) => {
        tries++;
        return client().approvals.decide(id, { optionId, revision }, { signal });
      },
      told,
    ).then(
      (): Answered['outcome'] => 'won',
      (error: unknown): Answered['outcome'] => {
        if (codeOf(error) === 'already-decided' || codeOf(error) === 'not-found')
          return tries > 1 ? 'lost' : 'refused';
        faults.push(`approval ${id}: ${String(error)}`);
        return 'refused';
      },
    );
    timeline.add(options.indexOf(sessionId), `> decide ${id.slice(-12)} ${optionId}: ${result}`);
    answered.push({ approvalId: id, sessionId, optionId, outcome: result });
  }
  async function answer(approval: Approval): Promise<void> {
    await pause(
      random.weighted([
        [0, 3],
        [random.int(1, 400), 1],
      ] as const),
    );
    await Promise.all(random.chance(0.2) ? [once(approval), once(approval)] : [once(approval)]);
  }

  const loop = (async () => {
    while (!closing.signal.aborted) {
      const page = await client()
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
