import { spawn } from '@lydell/node-pty';
import { Terminal } from '@xterm/headless';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundle, makeHome, startAgent, type Home } from './testing/client.ts';
import type { Moment } from './replay.ts';
import { readKeys, type Key } from './tui-keys.ts';
import { draw, wrap } from './tui-view.ts';

describe('keys', () => {
  test.each<[string, Key[]]>([
    ['abc', [{ kind: 'text', text: 'abc' }]],
    ['é漢', [{ kind: 'text', text: 'é漢' }]],
    ['a\r', [{ kind: 'text', text: 'a' }, { kind: 'enter' }]],
    [
      '\u007f\u0015\u0003\u0004\u001b',
      ['backspace', 'clear', 'stop', 'leave', 'escape'].map((kind) => ({ kind }) as Key),
    ],
    [
      '\u001b[A\u001b[6~',
      [
        { kind: 'scroll', by: 'line', up: true },
        { kind: 'scroll', by: 'page', up: false },
      ],
    ],
    ['\u001b[200~two\r\nlines\u001b[201~', [{ kind: 'text', text: 'two\nlines' }]],
    ['\u001b[99;5u\u0001', []],
  ])('%j', (typed, keys) => {
    expect(readKeys('', typed)).toEqual({ keys, rest: '' });
  });
  test('a sequence may come in pieces', () => {
    const first = readKeys('', '\u001b[');
    expect(first.keys).toEqual([]);
    expect(readKeys(first.rest, 'A').keys).toEqual([{ kind: 'scroll', by: 'line', up: true }]);
    const paste = readKeys('', '\u001b[200~half');
    expect(paste.keys).toEqual([]);
    expect(readKeys(paste.rest, ' done\u001b[201~').keys).toEqual([
      { kind: 'text', text: 'half done' },
    ]);
  });
  test('any bytes are read to their end', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (typed) => {
        expect(readKeys('', typed).rest.length).toBeLessThanOrEqual(typed.length);
      }),
    );
  });
});

describe('the view', () => {
  test('words stay whole where they fit', () => {
    expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
    expect(wrap('漢字漢字', 4)).toEqual(['漢字', '漢字']);
    expect(wrap('', 4)).toEqual(['']);
  });
  const moments: fc.Arbitrary<Moment[]> = fc.array(
    fc.oneof(
      fc.string().map((text): Moment => ({ kind: 'prompt', content: [{ type: 'text', text }] })),
      fc.string({ unit: 'binary' }).map((text): Moment => ({
        kind: 'update',
        update: {
          sessionUpdate: 'agent_message_chunk',
          messageId: text,
          content: { type: 'text', text },
        },
      })),
    ),
  );
  test('exactly as many lines as the terminal has, whatever happens', () => {
    fc.assert(
      fc.property(
        moments,
        fc.string(),
        fc.nat({ max: 200 }),
        fc.integer({ min: 10, max: 120 }),
        fc.integer({ min: 4, max: 50 }),
        (all, input, scrolled, cols, rows) => {
          const question = { title: input, options: [input, 'b'] };
          const screen = { moments: all, input, scrolled, status: input, cols, rows };
          for (const asked of [null, question]) {
            const { lines, cursor } = draw({ ...screen, question: asked });
            expect(lines).toHaveLength(rows);
            expect(cursor.row).toBeLessThan(rows);
            expect(lines.join('')).not.toContain('\n');
          }
        },
      ),
    );
  });
});

describe('in a real terminal', () => {
  let built: Awaited<ReturnType<typeof bundle>>;
  beforeAll(async () => {
    built = await bundle();
  });
  afterAll(async () => {
    await built[Symbol.asyncDispose]();
  });

  function startTui({ home, workspace }: Home, args: string[], mode: 'ask' | 'auto' = 'auto') {
    const terminal = new Terminal({ cols: 80, rows: 24, allowProposedApi: true });
    const pty = spawn(process.execPath, [built.path, 'tui', ...args], {
      cols: 80,
      rows: 24,
      cwd: workspace,
      env: {
        HOME: home,
        PATH: process.env['PATH'] ?? '',
        TERM: 'xterm-256color',
        BERTH_REHEARSAL_MODE: mode,
      },
    });
    pty.onData((data) => terminal.write(data));
    const exited = new Promise<number>((resolve) =>
      pty.onExit(({ exitCode }) => resolve(exitCode)),
    );
    const text = (): string =>
      Array.from({ length: terminal.rows }, (_, row) => {
        const { active } = terminal.buffer;
        return active.getLine(active.viewportY + row)?.translateToString(true) ?? '';
      }).join('\n');
    return {
      pty,
      exited,
      text,
      terminal,
      shows: (part: string) => expect.poll(text, { timeout: 5000 }).toContain(part),
      [Symbol.dispose]: () => pty.kill('SIGKILL'),
    };
  }

  test('shows the chat’s conversation, takes lines, and the chat then knows them', async () => {
    await using home = await makeHome();
    let id: string;
    {
      await using agent = startAgent(built.path, home);
      await agent.initialize();
      id = await agent.newSession();
      await agent.prompt(id, '/say from the chat');
    }
    {
      using tui = startTui(home, ['--session', id]);
      await tui.shows('from the chat');
      expect(tui.terminal.buffer.active.type).toBe('alternate');
      tui.pty.write('/write a.txt hello\r');
      await tui.shows('● Write a.txt');
      await tui.shows('+ hello');
      tui.pty.write('/stream 100000 5\r');
      await tui.shows('working');
      tui.pty.write('\u0003');
      await tui.shows('stopped');
      tui.pty.resize(40, 10);
      tui.terminal.resize(40, 10);
      await tui.shows('> ');
      tui.pty.write('\u0004');
      expect(await tui.exited).toBe(0);
      expect(tui.terminal.buffer.active.type).toBe('normal');
    }
    await using agent = startAgent(built.path, home);
    await agent.initialize();
    await agent.load(id);
    expect(agent.of('user_message_chunk').map((u) => u.content)).toMatchObject([
      { text: '/say from the chat' },
      { text: '/write a.txt hello' },
      { text: '/stream 100000 5' },
    ]);
  });

  test('asks in mode ask, and a number answers', async () => {
    await using home = await makeHome();
    using tui = startTui(home, [], 'ask');
    await tui.shows('rehearsal · ask');
    tui.pty.write('/ask Which? | Red | Blue\r');
    await tui.shows('2  Blue');
    tui.pty.write('2');
    await tui.shows('You chose: Blue');
    tui.pty.write('/exit 5\r');
    expect(await tui.exited).toBe(5);
  });

  test('a conversation that is not there', async () => {
    await using home = await makeHome();
    using tui = startTui(home, ['--session', 'nope']);
    await tui.shows('there is no conversation nope');
    expect(await tui.exited).toBe(1);
  });
});
