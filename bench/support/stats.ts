/** Pure. Nearest rank, so that every figure was really measured. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.max(0, Math.ceil(sorted.length * share) - 1);
  const found = sorted[index];
  if (found === undefined) throw new Error('no value was measured');
  return found;
}

export interface Summary {
  readonly n: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
export function summary(values: readonly number[]): Summary {
  return {
    n: values.length,
    min: round(percentile(values, 0)),
    p50: round(percentile(values, 0.5)),
    p99: round(percentile(values, 0.99)),
    max: round(percentile(values, 1)),
  };
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
export const median = (values: readonly number[]): number => percentile(values, 0.5);
