import type { Approximation } from '../draft.ts';
import { createSide, differences, stateOf, type Side, type Size, type State } from './state.ts';

type Resize = readonly [cols: number, rows: number];
export interface Mismatch {
  at: number;
  /** Right after the screen was drawn; after the rest of the bytes; after each resize behind that. */
  now: string[];
  later: string[][];
  approximations: Approximation[];
}
export interface Cuts {
  bytes: Uint8Array;
  /** Ascending. */
  offsets: readonly number[];
  size?: Size;
  /** Taken in turn by the offsets: the sizes that the terminal gets one after another when all bytes are there. */
  resizes?: readonly (readonly Resize[])[];
  before?: (side: Side) => void;
  /** For the check that the tests see faults. */
  spoil?: (text: string) => string;
}
export const usualSize: Size = { cols: 80, rows: 24, scrollback: 2000 };
const usualResizes: readonly (readonly Resize[])[] = [
  [
    [100, 30],
    [60, 20],
  ],
  [
    [50, 10],
    [100, 30],
  ],
];

/** What shows saved cursors, tab stops and scroll regions after a resize. */
const probe = '\u001b8A\tB\r\nC';
function laterStates(side: Side, resizes: readonly Resize[]): State[] {
  const states = [stateOf(side)];
  for (const resize of resizes) {
    side.terminal.resize(...resize);
    side.put(probe);
    states.push(stateOf(side));
  }
  return states;
}

/**
 * The invariant: the screen of all bytes is the screen drawn at an offset, then the bytes from there. One terminal reads the stream and is
 * asked for its screen on the way; another, never asked, says what must come out.
 */
export function mismatches(cuts: Cuts): Mismatch[] {
  const { bytes, offsets, size = usualSize, resizes = usualResizes, before } = cuts;
  const spoil = cuts.spoil ?? ((text: string): string => text);
  const make = (): Side => {
    const side = createSide(size);
    before?.(side);
    side.replies.length = 0;
    return side;
  };
  const read = make();
  read.put(bytes);
  const { replies } = read;
  const expected = resizes.map((sizes) => {
    const whole = make();
    whole.put(bytes);
    return laterStates(whole, sizes);
  });

  const server = make();
  const found: Mismatch[] = [];
  let at = 0;
  for (const [index, offset] of offsets.entries()) {
    server.put(bytes.subarray(at, offset));
    at = offset;
    const { text, approximations } = server.writer.write({ scrollback: Infinity });
    const { cols, rows } = server.terminal;
    const viewer = createSide({ cols, rows, scrollback: size.scrollback });
    viewer.put(spoil(text));
    const answered = viewer.replies.length > 0;
    viewer.put(server.rest());
    const now = differences(stateOf(server), stateOf(viewer));
    if (answered) now.push('replies: the screen makes the viewer answer');
    viewer.replies.length = 0;
    viewer.put(bytes.subarray(at));
    const answers = replies.slice(server.replies.length).join();
    const said = viewer.replies.join();
    const turn = index % resizes.length;
    const states = laterStates(viewer, resizes[turn] ?? []);
    const later = states.map((state, step) => differences(expected[turn]?.[step] ?? {}, state));
    if (said !== answers)
      later.push([`replies: ${JSON.stringify(answers)} became ${JSON.stringify(said)}`]);
    if (now.length > 0 || later.some((step) => step.length > 0))
      found.push({ at, now, later, approximations: [...approximations] });
    viewer.terminal.dispose();
  }
  for (const side of [read, server]) side.terminal.dispose();
  return found;
}
