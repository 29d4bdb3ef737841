import type { Event } from '@berth/contract';

/** What happened, in the order in which the suite saw it. */
export interface Moment {
  readonly atMs: number;
  /** Index of the session; null: it meets all of them. */
  readonly session: number | null;
  readonly what: string;
}
export interface Timeline {
  readonly moments: readonly Moment[];
  add(session: number | null, what: string): void;
  /** The part that shows a violation of this session. `names`: words of which the first and last mention bound it. */
  history(session: number | null, names: readonly string[]): string[];
}

const linesMost = 160;
const around = 4;

export function createTimeline(now: () => number): Timeline {
  const startMs = now();
  const moments: Moment[] = [];
  return {
    moments,
    add: (session, what) => moments.push({ atMs: now() - startMs, session, what }),
    history(session, names) {
      const mine = moments.filter(
        (moment) => moment.session === null || moment.session === session,
      );
      const named = (moment: Moment): boolean => names.some((name) => moment.what.includes(name));
      const first = Math.max(0, mine.findIndex(named) - around);
      const last = mine.findLastIndex(named);
      const part = last < 0 ? mine.slice(-linesMost) : mine.slice(first, last + around + 1);
      const lines = squash(part);
      if (lines.length <= linesMost) return lines;
      const half = linesMost / 2;
      return [
        ...lines.slice(0, half),
        `… ${String(lines.length - linesMost)} more …`,
        ...lines.slice(-half),
      ];
    },
  };
}

/** Deltas in a row are one line. */
function squash(moments: readonly Moment[]): string[] {
  const lines: string[] = [];
  let deltas = 0;
  for (const [index, { atMs, what }] of moments.entries()) {
    const isDelta = what.includes('.delta ');
    deltas = isDelta ? deltas + 1 : 0;
    const more = moments[index + 1]?.what.includes('.delta ') === true;
    if (isDelta && more && deltas > 1) continue;
    const count = isDelta && deltas > 2 ? ` (the last of ${String(deltas)})` : '';
    lines.push(`${(atMs / 1000).toFixed(3).padStart(8)} ${what}${count}`);
  }
  return lines;
}

/** One event in a few words. */
export function brief(event: Event): string {
  const payload = JSON.stringify(event.payload);
  const turn = event.turnId === undefined ? '' : ` ${event.turnId.slice(0, 8)}`;
  return `${String(event.seq)} ${event.kind}${turn} ${payload.length > 160 ? `${payload.slice(0, 160)}…` : payload}`;
}
