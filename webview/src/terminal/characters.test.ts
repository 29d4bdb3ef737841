import headless from '@xterm/headless';
import { expect, test } from 'vitest';
import { wholeCharacters } from './characters.ts';

// The headless build has the same core as the viewer's, and needs no page.
const { Terminal } = headless;
const make = () => new Terminal({ cols: 10, rows: 3, allowProposedApi: true });
const write = (terminal: InstanceType<typeof Terminal>, data: string | Uint8Array) =>
  new Promise<void>((done) => terminal.write(data, done));
const firstRow = (terminal: InstanceType<typeof Terminal>) =>
  terminal.buffer.active.getLine(0)?.translateToString(true);

test('a character cut in two is drawn once, as itself', async () => {
  const bytes = new TextEncoder().encode('a—b é 👍');
  const characters = wholeCharacters();
  const terminal = make();
  for (const byte of bytes) await write(terminal, characters.take(Uint8Array.of(byte)));
  expect(firstRow(terminal)).toBe('a—b é 👍');
  // Without it, xterm swallows the letter: the day that this fails, the work-around can go.
  const without = make();
  for (const byte of bytes) await write(without, Uint8Array.of(byte));
  expect(firstRow(without)).not.toBe('a—b é 👍');
  for (const one of [terminal, without]) one.dispose();
});

test('bytes that are no characters pass, and a new screen forgets what waited', () => {
  const characters = wholeCharacters();
  expect([...characters.take(Uint8Array.of(0x80, 0x80, 0x80, 0x80))]).toHaveLength(4);
  expect([...characters.take(Uint8Array.of(0x61, 0xe2, 0x80))]).toEqual([0x61]);
  characters.reset();
  expect([...characters.take(Uint8Array.of(0x62))]).toEqual([0x62]);
});
