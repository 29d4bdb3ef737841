import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { incompleteTail } from './characters.ts';
import { coreOf, missing } from './internals.ts';
import { createSide, differences, stateOf } from './testing/state.ts';

const size = { cols: 20, rows: 4, scrollback: 10 };
const side = (...parts: (string | Uint8Array)[]) => {
  const one = createSide(size);
  for (const part of parts) one.put(part);
  return one;
};

describe('characters that come in pieces', () => {
  test.each<[number[], number]>([
    [[], 0],
    [[0x61], 0],
    [[0x61, 0xc3], 1],
    [[0xc3, 0xa9], 0],
    [[0xe2, 0x80], 2],
    [[0xe2, 0x80, 0x94], 0],
    [[0xf0, 0x9f, 0x91], 3],
    [[0xf0, 0x9f, 0x91, 0x8d], 0],
    [[0x80, 0x80, 0x80, 0x80], 0], // no start: broken, and the terminal's to judge
    [[0xff], 0],
    [[0xe2, 0x41], 0],
  ])('%j holds %i back', (bytes, held) => {
    expect(incompleteTail(Uint8Array.from(bytes))).toBe(held);
  });
  test('a character cut after a byte 0x80 is still that character', () => {
    const bytes = Buffer.from('a—b\u2000c');
    const pieces = [...bytes].map((byte) => Uint8Array.of(byte));
    expect(differences(stateOf(side(bytes)), stateOf(side(...pieces)))).toEqual([]);
  });
});

describe('sequences that come in pieces', () => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  test.each<[string[], string]>([
    [['ab'], ''],
    [['ab\u001b'], '\u001b'],
    [['ab\u001b[3', '1'], '\u001b[31'],
    [['ab\u001b[3\n1'], '\u001b[31'], // the line feed was done when it came
    [['\u001b]2;ti', 'tle'], '\u001b]2;title'],
    [['\u001b]2;title\u0007'], ''],
    [['\u001b', '_anything', ' at all'], '\u001bX'], // what such a string holds means nothing
    [['\u001bP$q', 'r'], '\u001bP$qr'],
    [['\u009b3'], '\u009b3'],
    [['\u001b]2;ti\u001b'], '\u001b'],
  ])('%j leaves %j', (pieces, rest) => {
    expect(text(side(...pieces).rest())).toBe(rest);
  });
  test.each([
    ['a title', '\u001b]2;', 'x', '\u0007'],
    ['parameters', '\u001b[', '1;', 'm'],
    ['a device string', '\u001bP$q', 'r', '\u001b\\'],
    ['what follows an escape', '\u001b', '!', 'c'],
    ['an application string', '\u001b_', 'z', '\u001b\\'],
  ])('%s without an end is given up, not kept', (_name, start, more, end) => {
    const endless = side('before', start);
    const piece = more.repeat(16 * 1024);
    for (let sent = 0; sent < 20; sent++) endless.put(piece);
    expect(endless.rest().length).toBeLessThanOrEqual(64 * 1024);
    const viewer = side(endless.writer.write({ scrollback: 10 }).text, endless.rest());
    for (const one of [endless, viewer]) {
      one.put(piece);
      one.put(`${end}after`);
    }
    expect(differences(stateOf(endless), stateOf(viewer))).toEqual([]);
    expect(stateOf(endless)['normal cursor']).toBe('11,0');
    expect(stateOf(endless)['titles']).toBe('["","",[],[]]');
  });
});

test('erasing up to the last column of the last row does not stop the terminal', () => {
  const one = side('ab\r\ncd', '\u001b[999;999H\u001b[1J', 'z');
  expect(one.terminal.buffer.active.getLine(3)?.translateToString(true)).toMatch(/z$/);
  expect(one.terminal.buffer.active.getLine(0)?.translateToString(true)).toBe('');
});

describe('what a program can make the screen keep', () => {
  test('marks on one cell are few', () => {
    const one = side(`a${'\u0301'.repeat(5000)}b`);
    expect(one.terminal.buffer.active.getLine(0)?.translateToString(true).length).toBeLessThan(20);
  });
  test('links with endless addresses are plain text, and so is one too many', () => {
    const one = side(`\u001b]8;;http://${'x'.repeat(3000)}\u0007a\u001b]8;;\u0007b`);
    expect(one.core._oscLinkService._dataByLinkId.size).toBe(0);
    for (let at = 0; at < 11_000; at++) one.put(`\u001b]8;;http://${at}\u0007`);
    expect(one.core._oscLinkService._dataByLinkId.size).toBeLessThanOrEqual(10_000);
    expect(stateOf(one)['pen']).toBe('0,0,0,');
  });
});

describe('the version of the terminal', () => {
  test('is the one whose inner state we read', () => {
    expect(missing(coreOf(side().terminal))).toEqual([]);
    const read = (path: string) =>
      (
        JSON.parse(readFileSync(join(import.meta.dirname, path), 'utf8')) as {
          dependencies: Record<string, string>;
        }
      ).dependencies;
    expect(read('../package.json')['@xterm/headless']).toBe('6.0.0');
    // The viewer's terminal is the same engine.
    expect(read('../../../webview/package.json')['@xterm/xterm']).toBe('6.0.0');
  });
  test('another one is refused, with what is missing', () => {
    const { _inputHandler: handler, ...rest } = coreOf(side().terminal);
    expect(handler).toBeDefined();
    expect(missing(rest)[0]).toMatch(/_inputHandler.* is not there/);
  });
});
