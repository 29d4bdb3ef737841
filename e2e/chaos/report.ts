import type { Kept } from './many.ts';
import type { ChaosOptions, ChaosReport } from './run.ts';
import type { Recovery } from './measure.ts';

export type Counts = Readonly<Record<string, number>>;

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
}

export function times(values: readonly number[]): {
  n: number;
  p50: number;
  p99: number;
  max: number;
} {
  return {
    n: values.length,
    p50: percentile(values, 0.5),
    p99: percentile(values, 0.99),
    max: percentile(values, 1),
  };
}

/** Per victim: from the kill, and from when the victim was there again, until the next event. */
function recovery(all: readonly Recovery[]): Record<string, unknown> {
  return Object.fromEntries(
    [...Map.groupBy(all, ({ victim }) => victim)].map(([victim, list]) => {
      const up = list.flatMap(({ sinceUpMs }) => (sinceUpMs === undefined ? [] : [sinceUpMs]));
      const since = up.length === 0 ? {} : { sinceUpMs: times(up) };
      return [victim, { sinceKillMs: times(list.map((one) => one.sinceKillMs)), ...since }];
    }),
  );
}

/** For adding several runs up. */
export function kept({ seed }: ChaosOptions, report: ChaosReport): Kept {
  const { tally, killer, violations, seconds, ownStartMs } = report;
  const { struck, missed, recoveries } = killer;
  const whats = violations.map(({ what }) => what.slice(0, 500));
  return {
    seed,
    seconds,
    tally: { ...tally },
    struck,
    missed,
    recoveries,
    ownStartMs,
    violations: whats,
  };
}

/** The one line. */
export function summary(options: ChaosOptions, report: ChaosReport): Record<string, unknown> {
  const { tally, killer, violations, seconds } = report;
  return {
    ok: violations.length === 0,
    seed: options.seed,
    kills: options.kills,
    sessions: options.sessions,
    seconds: Math.round(seconds),
    ...tally,
    struck: killer.struck,
    missed: killer.missed,
    recovery: recovery(killer.recoveries),
    ownStartMs: times(report.ownStartMs),
    violations: violations.map(({ what }) => what.slice(0, 500)),
  };
}

/** For a person: how to see it again, and the shortest history that shows it. */
export function explain(options: ChaosOptions, report: ChaosReport): string {
  const { violations } = report;
  const [shortest] = [...violations].sort((a, b) => a.history.length - b.history.length);
  if (shortest === undefined) return '';
  const { seed, kills, sessions, only, database = 'embedded', agents = ['rehearsal'] } = options;
  const again = [
    `node e2e/chaos/main.ts --seed ${String(seed)} --kills ${String(kills)} --sessions ${String(sessions)}`,
    `--database ${database} --agents ${agents.join()}`,
    ...(only === undefined ? [] : [`--victims ${only.join()}`]),
  ].join(' ');
  return [
    `chaos: ${String(violations.length)} violations with seed ${String(seed)}; again: ${again}`,
    ...violations.map(({ what }) => `  - ${what}`),
    '',
    `The shortest history that shows one (${shortest.what.slice(0, 200)}):`,
    ...shortest.history,
    '',
  ].join('\n');
}
