import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLocalFile } from './local-file.ts';

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'berth-local-')), 'data');
});
afterEach(() => {
  rmSync(join(directory, '..'), { recursive: true });
});
const content = (pid: number) => ({
  url: 'http://127.0.0.1:1',
  token: 'berth_x',
  pid,
  version: '1',
  startedAt: 'now',
});

test('only its owner can read it, and it goes with the server', () => {
  const file = createLocalFile(directory);
  file.prepare();
  expect(statSync(directory).mode & 0o066).toBe(0); // nobody else may list or write
  expect(file.previousToken()).toBeUndefined();
  file.write(content(7));
  expect(statSync(join(directory, 'local.json')).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(join(directory, 'local.json'), 'utf8'))).toEqual(content(7));
  file.remove(7);
  expect(existsSync(join(directory, 'local.json'))).toBe(false);
  expect(file.previousToken()).toBe('berth_x'); // the next start keeps editors signed in
});

test('another server’s file is left alone', () => {
  const file = createLocalFile(directory);
  file.prepare();
  file.write(content(8));
  file.remove(7);
  expect(existsSync(join(directory, 'local.json'))).toBe(true);
});

test('folders above it are made too', () => {
  createLocalFile(join(directory, 'a', 'b')).prepare();
  expect(statSync(join(directory, 'a', 'b')).isDirectory()).toBe(true);
});

test('a directory that cannot be made is named in one sentence', () => {
  writeFileSync(directory, 'a file');
  chmodSync(directory, 0o600);
  expect(() => createLocalFile(join(directory, 'below')).prepare()).toThrow(
    /^BERTH_DATA_DIR: ".*" cannot be written/,
  );
});

// Below /proc nothing can be made, and the kernel says "no such file" rather than "not allowed".
test.each(['/proc/berth', '/proc/berth/data', '/proc/self/berth'])(
  '%s ends in a sentence',
  (path) => {
    expect(() => createLocalFile(path).prepare()).toThrow(
      /^BERTH_DATA_DIR: ".*" cannot be written/,
    );
  },
);

test('a file that stands where the directory should be is left as it is', () => {
  writeFileSync(join(directory, '..', 'a-file'), 'mine', { mode: 0o644 });
  const path = join(directory, '..', 'a-file');
  const before = statSync(path).mode;
  expect(() => createLocalFile(path).prepare()).toThrow(/a-file" cannot be written/);
  expect(statSync(path).mode).toBe(before);
});
