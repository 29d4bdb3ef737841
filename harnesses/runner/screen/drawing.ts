import type { Draft } from './draft.ts';
import type { Charset, Core, Line, ScreenBuffer } from './internals.ts';
import type { PenWriter } from './pen.ts';

/** What every part of the screen writer works with. */
export interface Drawing {
  readonly core: Core;
  readonly cols: number;
  readonly rows: number;
  readonly draft: Draft;
  readonly pen: PenWriter;
  readonly finalOf: (charset: Charset) => string;
}

export function lineAt(buffer: ScreenBuffer, index: number): Line {
  const line = buffer.lines.get(index);
  if (!line) throw new Error(`the screen has no line ${index}`);
  return line;
}
