import { createHash } from 'node:crypto';

/** Numbers that follow from a seed and a name alone: what one part of the suite draws never moves what another draws. */
export interface Random {
  /** From 0 to 1, without 1. */
  next(): number;
  /** Whole, both ends included. */
  int(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  weighted<T>(list: readonly (readonly [T, number])[]): T;
}

const digest = (name: string): Buffer => createHash('sha256').update(name).digest();

/** mulberry32: small, and good enough to choose by. */
export function random(seed: number, name: string): Random {
  let state = digest(`${String(seed)} ${name}`).readUInt32LE(0);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  function weighted<T>(list: readonly (readonly [T, number])[]): T {
    let left = next() * list.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [item, weight] of list) {
      left -= weight;
      if (left < 0) return item;
    }
    const last = list.at(-1);
    if (last === undefined) throw new Error('nothing to choose from');
    return last[0];
  }
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => weighted(list.map((item) => [item, 1] as const)),
    weighted,
  };
}

/** The same seed and name give the same id. */
export function idOf(seed: number, name: string): string {
  const hash = digest(`${String(seed)} id ${name}`).toString('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
