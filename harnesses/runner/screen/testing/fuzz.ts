import type { Size } from './state.ts';

export interface Run {
  seed: number;
  bytes: Uint8Array;
  /** Ascending. */
  offsets: number[];
  size: Size;
  resize: readonly [cols: number, rows: number] | null;
}

/** Sequences in an order that no program would choose, on screens so small that everything meets a margin. */
export function createFuzz(firstSeed: number): () => Run {
  let seed = firstSeed;
  const below = (count: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * count);
  };
  const pick = <T>(of: readonly [T, ...T[]]): T => of[below(of.length)] ?? of[0];
  const few = (): number => below(14) + 1;
  const csi = (rest: string): string => `\u001b[${rest}`;
  const letter = (of: string): string => of.charAt(below(of.length));

  const plain: readonly (() => string)[] = [
    () => 'abc d'.slice(0, 1 + below(5)),
    () => 'lorem ipsum '.repeat(1 + below(3)),
    () => pick(['漢', '字字', 'e\u0301', '👍', '\u200b', 'ü', '─']),
  ];
  const sgr = [
    0,
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    21,
    22,
    24,
    27,
    31,
    42,
    39,
    49,
    53,
    94,
    105,
    '38;5;99',
    '48;2;9;8;7',
    '4:3',
    '58:5:3',
    59,
  ] as const;
  const wild: readonly (() => string)[] = [
    ...plain,
    () => '\r\n',
    () => '\n',
    () => '\r',
    () => '\b',
    () => '\t',
    () => csi(`${few()};${below(25)}H`),
    () => csi(`${few()}${letter('ABCDEFG`de')}`),
    () => csi(`${below(3)}${letter('JKKK')}`),
    () => csi(`${below(5)}${letter('@PXLMST')}`),
    () => csi(`${pick(sgr)}m`),
    () => csi(`${few()};${few()}r`),
    () => csi('r'),
    () =>
      pick([
        '\u001b7',
        '\u001b8',
        '\u001bD',
        '\u001bM',
        '\u001bE',
        '\u001bH',
        csi('g'),
        csi('3g'),
        csi('s'),
        csi('u'),
      ]),
    () =>
      csi(`?${pick([1, 6, 7, 45, 47, 1047, 1048, 1049, 25, 2004, 1000, 1006, 12])}${letter('hl')}`),
    () => csi(`${pick([4, 20])}${letter('hll')}`),
    () =>
      pick(['\u001b(0', '\u001b(B', '\u001b)0', '\u001b*A', '\u000e', '\u000f', '\u001bn', 'qx']),
    () => csi(`${below(6)}b`),
    () =>
      pick([
        '\u001b]8;;http://u\u0007',
        '\u001b]8;;\u0007',
        '\u001b]8;id=1;http://v\u0007',
        '\u001b]2;t\u0007',
        '\u001b]4;3;#123456\u0007',
        csi('1"q'),
        csi('0"q'),
        csi('?1K'),
        csi('3J'),
        csi('!p'),
        '\u001b#8',
        '\u001bc',
      ]),
  ];
  return () => {
    const start = seed;
    const cols = 8 + below(16);
    const rows = 3 + below(10);
    const parts = Array.from({ length: 20 + below(120) }, () => {
      const of = below(3) > 0 ? wild : plain;
      return (of[below(of.length)] ?? wild[0])?.() ?? '';
    });
    const bytes = Buffer.from(parts.join(''));
    return {
      seed: start,
      bytes,
      offsets: [1, 2, 3, 4].map(() => below(bytes.length + 1)).sort((a, b) => a - b),
      size: { cols, rows, scrollback: pick([0, 4, 100]) },
      resize: pick([null, null, [cols + 5, rows + 2] as const, [cols - 3, rows - 1] as const]),
    };
  };
}
