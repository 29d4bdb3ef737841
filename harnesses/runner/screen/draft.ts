/** A part of a terminal's state that no sequence can bring back; the screen is drawn as near as possible. */
export type Approximation =
  | 'charset'
  | 'cursor outside the region'
  | 'dead link'
  | 'half of a wide character at the margin'
  | 'last character'
  | 'pen flags'
  | 'pending wrap over an erased cell'
  | 'saved position clamped';

/** The bytes of a screen while they are put together. */
export interface Draft {
  write(text: string): void;
  /** Column and row from 0. */
  moveTo(x: number, y: number): void;
  column(x: number): void;
  approximate(what: Approximation): void;
  readonly text: string;
  readonly approximations: ReadonlySet<Approximation>;
}
export function createDraft(): Draft {
  const parts: string[] = [];
  const approximations = new Set<Approximation>();
  const write = (text: string): void => {
    parts.push(text);
  };
  return {
    write,
    moveTo: (x, y) => write(`\u001b[${y + 1};${x + 1}H`),
    column: (x) => write(`\u001b[${x + 1}G`),
    approximate: (what) => approximations.add(what),
    get text() {
      return parts.join('');
    },
    approximations,
  };
}
