import {
  hasExtended,
  isProtected,
  normal,
  normalExtended,
  underlined,
  underlineStyle,
} from './cells.ts';
import type { Drawing } from './drawing.ts';
import type { ScreenBuffer } from './internals.ts';
import {
  backgroundFlags,
  colorSgr,
  consistent,
  foregroundFlags,
  sgr,
  type Flag,
  type PenState,
} from './pen.ts';

const designators = ['(', ')', '*', '+'];
const shifts = ['', '\u000e', '\u001bn', '\u001bo'] as const;

export function programPen({ core }: Drawing): PenState {
  const { fg, bg, extended } = core._inputHandler._curAttrData;
  return {
    fg: normal(fg),
    bg: normal(bg),
    extended: normalExtended(extended._ext),
    link: extended._urlId,
  };
}
/** A pen and a character set in use that only a restored cursor leaves: no SGR gives this pen, no shift this set. */
export function leftOver(drawing: Drawing): { pen: boolean; charset: boolean } {
  const { charset, _charsets: sets, glevel } = drawing.core._charsetService;
  return { pen: !consistent(programPen(drawing)), charset: charset !== sets[glevel] };
}

/** Designations, then the shift that takes one into use. */
export function designate({ core, draft, finalOf }: Drawing): void {
  for (const [at, designator] of designators.entries()) {
    const final = finalOf(core._charsetService._charsets[at]);
    if (final !== 'B') draft.write(`\u001b${designator}${final}`);
  }
  draft.write(shift(core._charsetService.glevel));
}
const shift = (level: number): string => shifts[level] ?? '';

/** Goes the program's way: extended part, then the saved cursor restored over it, then what the program changed since. */
export function restoreLeftOver(
  drawing: Drawing,
  active: ScreenBuffer,
  odd: { pen: boolean; charset: boolean },
): void {
  const { core, draft, pen: writer } = drawing;
  const pen = programPen(drawing);
  designate(drawing);
  if (odd.pen) draft.write(sgr({ fg: 0, bg: 0, extended: pen.extended }) + writer.linkTo(pen.link));
  draft.write('\u001b8');
  if (odd.pen) {
    changeFlags(drawing, active, pen);
    writer.holds(pen);
  }
  if (odd.charset) {
    if (core._charsetService.charset !== active.savedCharset) draft.approximate('charset');
  } else
    draft.write(core._charsetService.glevel > 0 ? shift(core._charsetService.glevel) : '\u000f');
}

function changeFlags({ draft, pen: writer }: Drawing, active: ScreenBuffer, pen: PenState): void {
  const from = { fg: normal(active.savedCurAttrData.fg), bg: normal(active.savedCurAttrData.bg) };
  const extendedEmpty = underlineStyle(pen.extended) === 0 && pen.link === 0;
  const changesExtended = ((from.bg ^ pen.bg) & hasExtended) !== 0;
  const matches = ((pen.bg & hasExtended) === 0) === extendedEmpty;
  if ((from.fg ^ pen.fg) & underlined || (changesExtended && !matches))
    draft.approximate('pen flags');
  const words: readonly (readonly [number, number, readonly Flag[]])[] = [
    [from.fg, pen.fg, foregroundFlags],
    [from.bg, pen.bg, backgroundFlags],
  ];
  // Off first: bold and dim go off together.
  const off = words.flatMap(([was, is, flags]) =>
    flags.flatMap(([bit, , clear]) => (was & bit && !(is & bit) ? [clear] : [])),
  );
  const on = words.flatMap(([, is, flags]) =>
    flags.flatMap(([bit, set]) => (is & bit ? [set] : [])),
  );
  if (changesExtended && matches) draft.write(writer.linkTo(pen.link));
  const codes = [39, 49, ...off, ...on].join(';');
  draft.write(`\u001b[${codes}${colorSgr(pen.fg, 30)}${colorSgr(pen.bg, 40)}m`);
  draft.write(pen.bg & isProtected ? '\u001b[1"q' : '\u001b[0"q');
}
