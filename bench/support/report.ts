import { availableParallelism, loadavg, totalmem } from 'node:os';
import { round } from './stats.ts';

export interface Row {
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
  /** `atMost` or `atLeast`; absent: a figure to compare with. */
  readonly target?: { atMost: number } | { atLeast: number };
}

const kept = ({ measured, target }: Row): boolean | null =>
  target === undefined
    ? null
    : 'atMost' in target
      ? measured <= target.atMost
      : measured >= target.atLeast;

/** A table for people, then one line of JSON for programs. A missed target is told, and no failure: whoever runs it decides. */
export function report(
  bench: string,
  rows: readonly Row[],
  more: Record<string, unknown> = {},
): void {
  const lines = rows.map((row) => {
    const { what, measured, unit, target } = row;
    const wanted =
      target === undefined
        ? ''
        : 'atMost' in target
          ? `≤ ${String(target.atMost)}`
          : `≥ ${String(target.atLeast)}`;
    const verdict = { true: 'kept', false: 'MISSED', null: '' }[String(kept(row)) as 'true'];
    return [what, `${String(round(measured))} ${unit}`, wanted, verdict];
  });
  const widths = [0, 1, 2].map((column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  console.log(`\n${bench}`);
  for (const line of lines)
    console.log(
      `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
    );
  console.log(
    JSON.stringify({
      bench,
      kept: rows.every((row) => kept(row) !== false),
      machine: {
        cores: availableParallelism(),
        memoryGb: Math.round(totalmem() / 2 ** 30),
        load: loadavg().map((load) => round(load, 1)),
        node: process.version,
      },
      rows: rows.map(({ what, measured, unit, target }) => ({
        what,
        measured: round(measured, 3),
        unit,
        ...target,
      })),
      ...more,
    }),
  );
}

/** `--sessions=20` and the like; what is not a number is refused. */
export function option(name: string, usual: number): number {
  const found = process.argv.find((word) => word.startsWith(`--${name}=`));
  if (found === undefined) return usual;
  const value = Number(found.slice(name.length + 3));
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${found}: a number is needed`);
  return value;
}
