import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { cases } from './testing/cases.ts';
import { mismatches, usualSize } from './testing/cuts.ts';
import type { Side } from './testing/state.ts';

const folder = join(import.meta.dirname, 'testing', 'streams');
const streams = readdirSync(folder).filter((name) => name.endsWith('.bin.gz'));
/** 300 before a release or after a change of the writer: BERTH_SCREEN_CUTS=300 */
const cutsEach = Number(process.env['BERTH_SCREEN_CUTS'] ?? 60);

/** The same offsets in each run, spread by a fixed sequence. */
function spread(count: number, length: number): number[] {
  let seed = 7;
  const offsets = new Set<number>([0, length]);
  while (offsets.size < Math.min(count, length)) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    offsets.add(Math.floor((seed / 2 ** 32) * length));
  }
  return [...offsets].sort((a, b) => a - b);
}

describe('what a program wrote, cut anywhere, is the same screen for who comes later', () => {
  test('the recordings are there', () => {
    expect(streams.map((name) => name.replace('.bin.gz', ''))).toEqual([
      'htop',
      'less',
      'mc',
      'nvim',
      'rehearsal',
      'tmux',
      'vim',
      'vttest',
    ]);
  });
  test.each(streams)('%s', { timeout: 300_000 }, (name) => {
    const bytes = gunzipSync(readFileSync(join(folder, name)));
    const offsets = spread(cutsEach, bytes.length);
    expect(mismatches({ bytes, offsets })).toEqual([]);
  });
});

const bytesOf = (given: string | Uint8Array): Uint8Array =>
  typeof given === 'string' ? Buffer.from(given) : given;
/** Every byte; of a long case, which repeats itself, the first 300 and some after them. */
const all = (bytes: Uint8Array): number[] =>
  Array.from({ length: bytes.length + 1 }, (_none, at) => at).filter(
    (at) => at < 300 || at % 29 === 0,
  );

describe('one thing at a time, cut at every byte', () => {
  test.each(Object.entries(cases))('%s', (_name, given) => {
    const bytes = bytesOf(given);
    expect(mismatches({ bytes, offsets: all(bytes) })).toEqual([]);
  });
  test('a full scrollback whose first line goes on from one that is gone', () => {
    const bytes = Buffer.from(`${'w'.repeat(3000)}x\r\n`);
    const size = { ...usualSize, scrollback: 5 };
    expect(mismatches({ bytes, offsets: all(bytes), size })).toEqual([]);
  });
  test('a screen that was resized before', () => {
    const before = (side: Side): void => {
      side.put(
        `${'w'.repeat(300)}漢字\r\n${'line\r\n'.repeat(30)}\u001b[5;9H\u001b7\u001b[3;6r\u001b[H`,
      );
      side.terminal.resize(61, 17);
    };
    const bytes = Buffer.from('ab\u001b[31mcd\r\n\u001b8Q');
    expect(mismatches({ bytes, offsets: all(bytes), before })).toEqual([]);
  });
});
