import type { Session, Turn } from '@berth/contract';
import { codeOf, ServerUnreachable, type BerthClient } from '../../client/index.ts';
import { text } from '../support/talk.ts';
import type { PlannedTurn, Plan, Prompt, Step } from './plan.ts';
import type { Reader } from './reader.ts';
import type { Timeline } from './timeline.ts';
import type { World } from './world.ts';

/** What the suite knows of a turn that it sent. */
export interface SentTurn {
  readonly id: string;
  readonly mark: string;
  /** What the agent must have got, once; the other one, if any, never. */
  prompt: Prompt;
  /** Cannot be told: the answer to the change of its text was lost. */
  instead?: Prompt;
  /** What a person did to it. */
  cancelled: boolean;
  withdrawn: boolean;
  /** It had to be sent again: its process may have died before it was said to be queued. */
  sentAgain: boolean;
  settled?: 'resend' | 'arrived';
  /** Each time that its text or its place was changed, and how often that may have been tried in vain. */
  changes: { done: number; inDoubt: number };
  /** Which step it belongs to; `moved`: at another place of it than it was sent in. */
  readonly step: number;
  moved: boolean;
}

export interface Conversation {
  readonly index: number;
  readonly sessionId: string;
  /** In the order in which the server took them. */
  readonly turns: SentTurn[];
  readonly faults: string[];
  restarts: number;
}

export interface PersonOptions {
  client: () => BerthClient;
  conversation: Conversation;
  reader: Reader;
  plan: Plan;
  world: World;
  timeline: Timeline;
  now: () => number;
  /** Told at the moment in which a request leaves. */
  acts: () => void;
  endMs: number;
}

const requestMs = 15_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until there is an answer: what the server refused for good is thrown. */
export async function persist<T>(
  what: string,
  deadlineMs: number,
  ask: (signal: AbortSignal) => Promise<T>,
  told: (text: string) => void = () => undefined,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask(AbortSignal.timeout(requestMs));
    } catch (error) {
      const code = codeOf(error);
      const away =
        error instanceof ServerUnreachable ||
        (error instanceof Error && error.name === 'TimeoutError') ||
        ['runner-unreachable', 'not-ready', 'request-in-progress', 'sandbox-not-ready'].includes(
          code ?? '',
        );
      if (code === 'internal-error') told(`500 ${what}: ${String(error)}`);
      if (!away && code !== 'internal-error') throw error;
      if (performance.now() > end)
        throw new Error(`no answer to "${what}" in ${String(deadlineMs)} ms`, { cause: error });
      await pause(Math.min(50 * 2 ** attempt, 400));
    }
  }
}

/** Follows the plan of one session until it is told to stop; then sees everything that was begun to its end. */
export function createPerson(options: PersonOptions) {
  const { client, conversation, reader, plan, world, timeline, acts } = options;
  const { index, sessionId, turns, faults } = conversation;
  const say = (what: string): void => timeline.add(index, what);
  let stopped = false;
  let helpedAt = 0;
  let stepNow = 0;

  function ask<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    say(`> ${what}`);
    acts();
    return persist(what, options.endMs, work, (fault) => {
      say(fault);
      faults.push(fault);
    });
  }
  /** Null: refused with this code, which is an outcome. */
  async function orRefused<T>(work: Promise<T>, ...codes: string[]): Promise<T | null> {
    try {
      return await work;
    } catch (error) {
      if (codes.includes(codeOf(error) ?? '')) return null;
      throw error;
    }
  }

  async function send({ id, mark, prompt }: PlannedTurn, twice = false): Promise<SentTurn> {
    const sent: SentTurn = {
      id,
      mark,
      prompt,
      cancelled: false,
      withdrawn: false,
      sentAgain: false,
      changes: { done: 0, inDoubt: 0 },
      step: stepNow,
      moved: false,
    };
    async function once(): Promise<void> {
      let attempts = 0;
      await ask(`send ${mark} ${id.slice(0, 8)}`, (signal) => {
        attempts++;
        return client().turns.create(sessionId, { id, prompt: text(prompt.text) }, { signal });
      });
      if (attempts > 1) sent.sentAgain = true;
    }
    await Promise.all(twice ? [once(), once()] : [once()]);
    turns.push(sent);
    return sent;
  }

  /** What a person does about a session that waits for one. */
  async function help(session: Session, sent: SentTurn, turn: Turn): Promise<void> {
    if (turn.state === 'unknown') {
      const arrived = world.diaryOnDisk(sessionId).includes(sent.prompt.sha256);
      const answer = arrived ? 'arrived' : 'resend';
      await orRefused(
        ask(`settle ${sent.mark} as ${answer}`, (signal) =>
          client().turns.settle(sessionId, turn.id, { answer }, { signal }),
        ),
        'turn-not-unknown',
      );
      sent.settled = answer;
    }
    if (session.status === 'failed' && options.now() - helpedAt > 3000) {
      helpedAt = options.now();
      conversation.restarts++;
      say(`the session failed: ${String(session.reason)}`);
      await ask('restart', (signal) => client().sessions.restartAgent(sessionId, { signal })).catch(
        () => ask('resume', (signal) => client().sessions.resume(sessionId, { signal })),
      );
    }
  }

  /** False: it has no end within the time. */
  async function ended(sent: SentTurn): Promise<boolean> {
    const end = options.now() + options.endMs;
    while (options.now() < end) {
      const turn = await persist('look', options.endMs, (signal) =>
        client().turns.get(sessionId, sent.id, { signal, waitSeconds: 3 }),
      );
      if (turn.endedAt !== undefined && turn.reply !== undefined) return true;
      const session = await persist('look', options.endMs, (signal) =>
        client().sessions.get(sessionId, { signal }),
      );
      await help(session, sent, turn);
    }
    faults.push(`turn ${sent.mark} ${sent.id} has no end after ${String(options.endMs)} ms`);
    return false;
  }

  async function eventsOf(turnId: string, count: number): Promise<void> {
    let left = count;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const stop = reader.listen(({ event }) => {
        if (event.turnId === turnId && --left <= 0) finish();
      });
      const timer = setTimeout(finish, 3000);
      if (left <= 0) finish();
    });
  }

  /** Of a turn that waits. Refused when the agent has it. */
  async function change(
    sent: SentTurn,
    patch: Parameters<BerthClient['turns']['patch']>[2],
  ): Promise<{ done: boolean; attempts: number }> {
    let attempts = 0;
    const changed = await orRefused(
      ask(`change ${sent.mark}: ${Object.keys(patch).join()}`, (signal) => {
        attempts++;
        return client().turns.patch(sessionId, sent.id, patch, { signal });
      }),
      'turn-already-sent',
    );
    const done = changed !== null;
    sent.changes.done += done ? 1 : 0;
    sent.changes.inDoubt += attempts - 1;
    return { done, attempts };
  }

  async function perform(step: Step): Promise<boolean> {
    switch (step.do) {
      case 'talk': {
        const sent: SentTurn[] = [];
        for (const turn of step.turns) sent.push(await send(turn, step.twice));
        return all(sent);
      }
      case 'cancel': {
        const sent = await send(step.turn);
        await eventsOf(sent.id, step.afterEvents);
        // A cancel stops what is under way: one that is still in the queue is not, and is stopped when it is.
        const states = ['sent', 'accepted', 'running', 'done', 'cancelled', 'failed', 'unknown'];
        const under = await until(async () => states.includes((await look(sent.id)).state));
        if (!under) return ended(sent);
        await ask(`cancel ${sent.mark}`, (signal) =>
          client().sessions.cancel(sessionId, { signal }),
        );
        sent.cancelled = true;
        return ended(sent);
      }
      case 'withdraw': {
        const sent: SentTurn[] = [];
        for (const turn of step.turns) sent.push(await send(turn));
        const last = sent.at(-1);
        if (last === undefined) return true;
        const gone = await orRefused(
          ask(`withdraw ${last.mark}`, (signal) =>
            client().turns.withdraw(sessionId, last.id, { signal }),
          ),
          'turn-already-sent',
        );
        last.withdrawn = gone !== null;
        return all(sent);
      }
      case 'edit': {
        const sent: SentTurn[] = [];
        for (const turn of step.turns) sent.push(await send(turn));
        const last = sent.at(-1);
        if (last === undefined) return true;
        const { done, attempts } = await change(last, { prompt: text(step.instead.text) });
        if (done) last.prompt = step.instead;
        // Taken, its answer lost, sent to the agent meanwhile: the second try is refused, and the new text is what counts.
        else if (attempts > 1) last.instead = step.instead;
        return all(sent);
      }
      case 'reorder': {
        const sent: SentTurn[] = [];
        for (const turn of step.turns) sent.push(await send(turn));
        const last = sent.at(-1);
        if (last === undefined) return true;
        const { done, attempts } = await change(last, { position: 0 });
        last.moved = done || attempts > 1;
        return all(sent);
      }
      case 'suspend': {
        await ask('suspend', (signal) => client().sessions.suspend(sessionId, { signal }));
        await pause(step.waitMs);
        return all([await send(step.turn)]);
      }
      case 'terminal': {
        const open = await persist('open a terminal', 10_000, (signal) =>
          client().terminals.open(sessionId, { kind: 'shell', cols: 80, rows: 24 }, { signal }),
        ).catch((error: unknown) => {
          say(`no terminal: ${String(error)}`);
          return null;
        });
        if (open !== null && step.close)
          await orRefused(
            ask('close the terminal', (signal) => client().terminals.close(open.id, { signal })),
            'terminal-closed',
            'not-found',
          );
        return true;
      }
    }
  }
  const look = (turnId: string): Promise<Turn> =>
    persist('look', options.endMs, (signal) => client().turns.get(sessionId, turnId, { signal }));
  async function until(holds: () => Promise<boolean>): Promise<boolean> {
    const end = options.now() + options.endMs;
    while (options.now() < end) {
      if (await holds()) return true;
      await pause(50);
    }
    return false;
  }
  async function all(sent: readonly SentTurn[]): Promise<boolean> {
    for (const one of sent) if (!(await ended(one))) return false;
    return true;
  }

  return {
    stop() {
      stopped = true;
    },
    /** A fault ends it early: what comes after a stuck turn says nothing more. */
    async live(): Promise<void> {
      try {
        for (let at = 0; !stopped; at++) {
          stepNow = at;
          const step = plan.step(at);
          say(`step ${String(at)}: ${step.do}`);
          if (!(await perform(step))) return;
        }
      } catch (error) {
        faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    },
    send,
    ended,
  };
}
export type Person = ReturnType<typeof createPerson>;
