/**
 * Records what real programs write to a terminal of 80 × 24, for the tests of the screen writer:
 * `node harnesses/runner/screen/testing/record.ts [name …]`. The programs come from the system's packages (vim, neovim, htop, mc, less, tmux, vttest).
 */
import { spawn } from '@lydell/node-pty';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createScreen } from '../headless.ts';

const root = resolve(import.meta.dirname, '../../../..');
const escape = '\u001b';
/** The project's own source, so that every machine has it. */
const source = join(root, 'harnesses/runner/screen/pen.ts');
const text = join(root, 'LICENSE');

interface Recording {
  argv: string[];
  /** What is typed, one after another. */
  keys: string[];
  /** Where what is typed waits for the program. */
  waitMs?: number;
  env?: Record<string, string>;
}
const enter = '\r';
const recordings: Record<string, Recording> = {
  vim: {
    argv: ['vim', '-u', 'NONE', '-N', '-i', 'NONE', '-c', 'syntax on|set mouse=a number', source],
    keys: [
      'G',
      'gg',
      '10j',
      '/export\r',
      'n',
      'n',
      'vjjj',
      'd',
      'u',
      'ihello 漢字 wörld\u001b',
      'o\ttabbed\u001b',
      ':vsplit\r',
      '\u0017w',
      '20\u0005',
      ':set list\r',
      ':%s/const/CONST/g\r',
      'u',
      ':help\r',
      ':q\r',
      ':terminal ls -la --color /etc\r',
      ':qa!\r',
    ],
  },
  nvim: {
    argv: [
      'nvim',
      '-u',
      'NONE',
      '-i',
      'NONE',
      '-c',
      'syntax on|set termguicolors mouse=a number list',
      source,
    ],
    keys: [
      'G',
      'gg',
      '/export\r',
      'n',
      'Vjjd',
      'u',
      'ihello 漢字 👍 wörld\u001b',
      ':split\r',
      '30\u0005',
      ':set wrap!\r',
      '\u0016jjll',
      'rX',
      'u',
      ':qa!\r',
    ],
  },
  htop: {
    argv: ['htop', '-d', '5'],
    keys: [
      't',
      `${escape}[B`,
      `${escape}[B`,
      'H',
      'I',
      '<',
      enter,
      '/',
      'sh',
      enter,
      `${escape}OQ`,
      `${escape}[21~`,
      'q',
    ],
  },
  mc: {
    argv: ['mc', '-d', '/usr', '/etc'],
    keys: [
      `${escape}[B`,
      `${escape}[B`,
      '\t',
      `${escape}[B`,
      `${escape}OR`,
      `${escape}[6~`,
      `${escape}[21~`,
      '\u000f',
      'ls -la\r',
      '\u000f',
      `${escape}[20~`,
      `${escape}[C`,
      enter,
      `${escape}${escape}`,
      `${escape}[21~`,
      enter,
    ],
  },
  less: {
    argv: ['less', '-N', source],
    env: { LESS: '' },
    keys: [
      ' ',
      ' ',
      'b',
      '/export\r',
      'n',
      'n',
      'G',
      'g',
      'h',
      'q',
      '&const\r',
      '50%',
      'jjjkk',
      'q',
    ],
    waitMs: 200,
  },
  tmux: {
    argv: ['tmux', '-L', 'berth-record', '-f', '/dev/null', 'new-session', 'sh'],
    env: { PS1: '$ ', ENV: '' },
    keys: [
      'ls --color /usr\r',
      '\u0002%',
      'seq 200\r',
      '\u0002"',
      `cat ${text}\r`,
      '\u0002o',
      'printf "\\033[41mred\\033[0m\\033[3 q"\r',
      '\u0002[',
      `${escape}[5~`,
      'q',
      '\u0002z',
      'seq 30\r',
      '\u0002z',
      '\u0002c',
      'echo new\r',
      '\u0002n',
      '\u0002:kill-server\r',
    ],
  },
  vttest: {
    argv: ['vttest'],
    // Cursor movements, screen features, character sets, double-size characters, reports, VT52, insert and delete.
    keys: [
      '1\r',
      ...Array<string>(6).fill(enter),
      '2\r',
      ...Array<string>(15).fill(enter),
      '3\r',
      '8\r',
      enter,
      '9\r',
      enter,
      '0\r',
      '4\r',
      ...Array<string>(5).fill(enter),
      '8\r',
      ...Array<string>(14).fill(enter),
      '7\r',
      ...Array<string>(3).fill(enter),
      '0\r',
    ],
    waitMs: 250,
  },
  rehearsal: {
    argv: [process.execPath, join(root, 'harnesses/rehearsal/main.ts'), 'tui'],
    keys: [
      '/say hello 漢字 wörld\r',
      '/think about it\r',
      '/plan one; two; three\r',
      '/write a.txt text\r',
      '/stream 60 10\r',
      `${escape}[5~`,
      `${escape}[6~`,
      '/run ls -la /\r',
      '/say bye\r',
      '\u0004',
    ],
    waitMs: 1200,
  },
};

async function record(
  name: string,
  { argv, keys, env = {}, waitMs = 350 }: Recording,
): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'berth-record-'));
  const [program = '', ...args] = argv;
  const pty = spawn(program, args, {
    name: 'xterm-256color',
    cols: 80,
    rows: 24,
    cwd: home,
    encoding: null,
    env: { PATH: process.env['PATH'], HOME: home, LANG: 'C.UTF-8', TERM: 'xterm-256color', ...env },
  });
  const screen = createScreen({ cols: 80, rows: 24, scrollback: 1000 });
  screen.onReply((bytes) => pty.write(Buffer.from(bytes).toString('latin1')));
  const parts: Buffer[] = [];
  pty.onData((data: string | Buffer) => {
    const bytes = Buffer.from(data as Buffer);
    parts.push(bytes);
    screen.feed(bytes);
  });
  const ended = new Promise<true>((done) => pty.onExit(() => done(true)));
  await wait(1000);
  for (const key of keys) {
    pty.write(key);
    await wait(waitMs);
  }
  if (!(await Promise.race([ended, wait(2000, false)]))) pty.kill('SIGKILL');
  await ended;
  await wait(100);
  const all = Buffer.concat(parts);
  const packed = gzipSync(all, { level: 9 });
  writeFileSync(join(import.meta.dirname, 'streams', `${name}.bin.gz`), packed);
  console.log(name, all.length, 'bytes, packed', packed.length);
  screen.dispose();
  rmSync(home, { recursive: true, force: true });
}

const wanted = process.argv.slice(2);
for (const [name, recording] of Object.entries(recordings))
  if (wanted.length === 0 || wanted.includes(name)) await record(name, recording);
process.exit(0);
