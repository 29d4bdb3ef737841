import type { ScreenSnapshot } from './screen.ts';

/** What the runner tells the thread of the screens. In order, as a screen is told in its own thread. */
export type ToScreens =
  | { op: 'open'; id: number; cols: number; rows: number; scrollback: number }
  | { op: 'feed'; id: number; bytes: Uint8Array }
  | { op: 'resize'; id: number; cols: number; rows: number }
  | { op: 'snapshot'; id: number; ask: number; scrollback: number }
  | { op: 'text'; id: number; ask: number }
  | { op: 'close'; id: number };

export type FromScreens =
  /** All that this screen has parsed since it was made. */
  | { op: 'parsed'; id: number; bytes: number }
  | { op: 'reply'; id: number; bytes: Uint8Array }
  | { op: 'snapshot'; id: number; ask: number; snapshot: ScreenSnapshot }
  | { op: 'text'; id: number; ask: number; shown: ScreenText }
  | { op: 'failed'; id: number; ask: number; reason: string };

export interface ScreenText {
  cols: number;
  rows: number;
  text: string;
}
