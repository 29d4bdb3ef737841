/* eslint-disable no-control-regex -- control characters are what this is about */
import { expect, test } from 'vitest';
import { cases } from './testing/cases.ts';
import { mismatches } from './testing/cuts.ts';

/** The tests above would see it if the writer forgot something: without one kind of sequence, a case of that kind differs. */
test.each<[what: string, without: RegExp, shownBy: string]>([
  ['the scroll region', /\u001b\[\d+;\d+r/g, 'scroll region'],
  ['the saved cursor', /\u001b7/g, 'saved cursor'],
  ['the saved cursor of the other buffer', /\u001b7/g, 'saved cursors of both buffers'],
  ['character sets', /\u001b[()*+][0-9A-Z]/g, 'character sets'],
  ['the shift', /[\u000e]|\u001b[no]/g, 'character sets'],
  ['tab stops', /\u001bH/g, 'tab stops'],
  ['cleared tab stops', /\u001b\[3g/g, 'tab stops'],
  ['the pen', /\u001b\[0[\d;:]*m$/g, 'normal screen, inverse pen'],
  ['the last character', /.$/u, 'combining marks and emoji'],
  ['origin mode', /\u001b\[\?6h/g, 'origin mode'],
  ['mouse', /\u001b\[\?100[023]h/g, 'mouse'],
  ['bracketed paste', /\u001b\[\?2004h/g, 'bracketed paste and keys'],
  ['the hidden cursor', /\u001b\[\?25l/g, 'cursor hidden'],
  ['wrapping', /\u001b\[\?7l/g, 'no wrapping'],
  ['insert mode', /\u001b\[4h/g, 'insert mode'],
  ['titles', /\u001b\][12];[^\u0007]*\u0007/g, 'titles'],
  ['links', /\u001b\]8;[^\u0007]*\u0007/g, 'links'],
  ['the palette', /\u001b\](?:4|10|11|12);[^\u0007]*\u0007/g, 'palette'],
  ['marks of wrapped lines', / {2}\u001b\[A| \r/g, 'wrapped'],
  ['the alternate screen', /\u001b\[\?47[hl]/g, 'alternate screen entered with a pen'],
  ['protection', /\u001b\[1"q/g, 'attributes'],
  ['the cursor style', /\u001b\[\d q/g, 'cursor style'],
  ['synchronized output', /\u001b\[\?2026h/g, 'synchronized output'],
])('dropping %s is seen', (_what, without, shownBy) => {
  const given = cases[shownBy];
  if (given === undefined) throw new Error('no such case');
  const bytes = typeof given === 'string' ? Buffer.from(given) : given;
  const step = Math.ceil(bytes.length / 40);
  const offsets = Array.from({ length: bytes.length + 1 }, (_none, at) => at).filter(
    (at) => at % step === 0,
  );
  const spoil = (text: string): string => text.replace(without, '');
  expect(mismatches({ bytes, offsets }).length).toBe(0);
  expect(mismatches({ bytes, offsets, spoil }).length).toBeGreaterThan(0);
});
