import type { Target } from './killer.ts';
import type { Seen } from './reader.ts';

/** How long it took until the next event, in ms: from the kill, and from when the victim itself was there again. */
export interface Recovery {
  readonly victim: string;
  readonly sinceKillMs: number;
  readonly sinceUpMs?: number;
}
type Times = Omit<Recovery, 'victim'>;

const recoveryMs = 60_000;
const restarted = ['agent-restarted', 'message-resent', 'delivery-unknown', 'conversation-seeded'];

/** The next event of the session for which it holds; undefined: none within the time. */
export function next(
  target: Target,
  holds: (seen: Seen) => boolean,
  limitMs: number,
): Promise<Seen | undefined> {
  return new Promise((resolve) => {
    const finish = (seen?: Seen): void => {
      clearTimeout(timer);
      stop();
      resolve(seen);
    };
    const stop = target.reader.listen((seen) => {
      if (holds(seen)) finish(seen);
    });
    const timer = setTimeout(finish, limitMs);
  });
}

/** Only what nothing else came into is a measure: no kill before from which the session had not recovered, and none after. */
export function createMeasures() {
  const recoveries: Recovery[] = [];
  const measuring = new Set<Promise<void>>();
  /** Sessions that were struck, each time; null: all of them. */
  const strikes: (number | null)[] = [];
  const recovering = new Map<number, number>();
  const struckTimes = (session: number): number =>
    strikes.filter((one) => one === null || one === session).length;

  async function untilHeard(
    target: Target,
    turn: string,
    from: number,
    upAt: number,
  ): Promise<Times | null> {
    // It ended while its victim was away.
    if (target.reader.openTurn !== turn) return null;
    const holds = ({ atMs, event }: Seen): boolean => atMs >= upAt && event.turnId === turn;
    const seen = await next(target, holds, recoveryMs);
    if (seen === undefined) return null;
    return { sinceKillMs: seen.atMs - from, sinceUpMs: seen.atMs - upAt };
  }
  async function untilTold(target: Target, turn: string, from: number): Promise<Times | null> {
    const told: string[] = [];
    const seen = await next(
      target,
      ({ event }) => {
        if (event.kind === 'turn.ended') return true;
        if (told.length > 0 && event.turnId === turn) return true;
        if (event.kind === 'notice' && restarted.includes(event.payload.code))
          told.push(event.payload.code);
        return false;
      },
      recoveryMs,
    );
    // It had ended just before: nothing was recovered.
    return seen === undefined || told.length === 0 ? null : { sinceKillMs: seen.atMs - from };
  }

  return {
    recoveries: recoveries as readonly Recovery[],
    /** Whom a kill met. */
    struck: (session: number | null) => strikes.push(session),
    /** In the background: the next kill does not wait for the measure of this one. `up`: when the victim was there again. */
    begin(
      name: string,
      session: number,
      target: Target,
      from: number,
      up?: Promise<number | null>,
    ): void {
      const turn = target.reader.openTurn;
      if (turn === null) return; // nothing is under way that could go on
      const strikesBefore = struckTimes(session);
      const alone = (recovering.get(session) ?? 0) === 0;
      recovering.set(session, (recovering.get(session) ?? 0) + 1);
      const work = (async () => {
        const upAt = await up;
        const recovery =
          upAt === undefined
            ? await untilTold(target, turn, from)
            : upAt === null
              ? null
              : await untilHeard(target, turn, from, upAt);
        if (recovery !== null && alone && struckTimes(session) === strikesBefore)
          recoveries.push({ victim: name, ...recovery });
      })().finally(() => {
        recovering.set(session, (recovering.get(session) ?? 0) - 1);
        measuring.delete(work);
      });
      measuring.add(work);
    },
    async settled(): Promise<void> {
      await Promise.all(measuring);
    },
  };
}
