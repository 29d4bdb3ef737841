import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ServerUnreachable } from '@berth/client';
import { Problem, settleTurn, type Event } from '@berth/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findForm, helpFor, parseForm, related, UsageError } from './args.ts';
import { environmentOf, repositoryOf } from './commands/agents.ts';
import { createAwayWords } from './away.ts';
import { answeredBefore, chooseOption } from './commands/approvals.ts';
import { afterLeaving, sizeOf } from './commands/attach.ts';
import { howToSettle } from './commands/settle.ts';
import { applyPatch, explainApply } from './commands/pull.ts';
import { howToAnswer, stopTurn } from './commands/send.ts';
import { outcomeOf } from './commands/sessions.ts';
import { pick, Refused, type Io } from './context.ts';
import { takeKeys } from './detach.ts';
import { commands } from './forms.ts';
import { ago, bytes, columns, dollars, oneLine, safe, styleFor, wantsColour } from './format.ts';
import { exitCodeOf, helpAsked, main, spell } from './main.ts';
import { pack } from './pack.ts';
import { createTranscript } from './transcript.ts';

const forms = commands('/nowhere', '1.2.3');
const plain = styleFor(false);

describe('words and options', () => {
  test.each([
    [['sessions', 'new', 'fixer', '--from', '.'], 'sessions new', ['fixer']],
    [['--json', 'sessions', 'ls'], 'sessions ls', []],
    [['--server', 'http://x', 'doctor'], 'doctor', []],
    [['send', 'abcd', 'two', 'words'], 'send', ['abcd', 'two', 'words']],
    [['send', 'abcd', '-'], 'send', ['abcd', '-']],
    [['send', 'abcd', '--', '--not-an-option'], 'send', ['abcd', '--not-an-option']],
    [['log', 'abcd', '-f'], 'log', ['abcd']],
  ])('%j', (argv, name, words) => {
    const found = findForm(forms, argv);
    expect(found?.form.name).toBe(name);
    expect(found && parseForm(found.form, found.rest).words).toEqual(words);
  });

  test.each([
    [['sessions', 'show'], '<session> is missing'],
    [['send', 'abcd'], '<text|-> is missing'],
    [['send'], '<session> and <text|-> is missing'],
    [['settle', 'abcd'], '<resend|arrived|drop> is missing'],
    [['approve', '--note', 'x'], '<approval> is missing'],
    [['sessions', 'show', 'a', 'b'], 'one word too many'],
    [['sessions', 'ls', '--nonsense'], 'nonsense'],
    [['log', 'a', '--after'], 'after'],
  ])('wrong use: %j', (argv, says) => {
    const found = findForm(forms, argv);
    expect(found).not.toBeNull();
    expect(() => found && parseForm(found.form, found.rest)).toThrow(UsageError);
    expect(() => found && parseForm(found.form, found.rest)).toThrow(says);
  });

  test('what people type for another', () => {
    expect(spell(['sessions'])).toEqual(['sessions', 'ls']);
    expect(spell(['sessions', '--json'])).toEqual(['sessions', 'ls', '--json']);
    expect(spell(['sessions', 'new', 'x'])).toEqual(['sessions', 'new', 'x']);
    expect(spell(['approvals', 'ls', '--json'])).toEqual(['approvals', '--json']);
  });

  test.each([
    [['help'], 'sessions new', 'Exit codes'],
    [['--help'], 'sessions new', 'Exit codes'],
    [['help', 'send'], 'berth send <session> <text|->', '--no-wait'],
    [['help', 'sessions', 'new'], 'berth sessions new <agent>', '--from'],
    [['sessions', '--help'], 'sessions new', 'sessions take-back'],
    [['agents', 'help'], 'agents create', 'agents rm'],
    [['help', 'nonsense'], 'sessions new', 'Exit codes'],
  ])('help is answered where it is asked: %j', (argv, ...says) => {
    const answer = helpAsked(forms, argv);
    for (const text of says) expect(answer).toContain(text);
    if (argv[0] === 'sessions') expect(answer).not.toContain('agents create');
  });
  test.each([[['send', 'abcd', 'help']], [['send', 'abcd', '--help']], [['sessions']], [[]]])(
    'no question for help: %j',
    (argv) => {
      expect(helpAsked(forms, argv)).toBeNull();
    },
  );
  test.each([
    [['session', 'ls'], 'sessions ls'],
    [['suspend', 'abcd'], 'sessions suspend'],
    [['agents', 'dance'], 'agents create'],
  ])('what was meant by %j', (typed, meant) => {
    expect(related(forms, typed).map(({ name }) => name)).toContain(meant);
    expect(related(forms, ['dance'])).toEqual([]);
  });
  test('every option of a command is explained', () => {
    for (const form of forms)
      for (const option of Object.keys(form.options ?? {}))
        expect(helpFor(form).split('\n\n').at(-1), form.name).toContain(`--${option}`);
  });

  test('every command of the contract is there', () => {
    const names = forms.map((form) => form.name);
    for (const name of [
      ...['serve', 'login', 'doctor', 'version', 'pull', 'send', 'log', 'attach', 'approvals'],
      ...['approve', 'deny', 'settle', 'harness ls', 'harness install', 'open'],
      ...['ls', 'create', 'show', 'edit', 'rm'].map((verb) => `agents ${verb}`),
      ...['ls', 'new', 'show', 'suspend', 'resume', 'archive', 'rm'].map(
        (verb) => `sessions ${verb}`,
      ),
    ])
      expect(names).toContain(name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('agent options', () => {
    expect(environmentOf(['A=1', 'B=x=y', 'C='])).toEqual({ A: '1', B: 'x=y', C: '' });
    expect(() => environmentOf(['=1'])).toThrow(UsageError);
    expect(repositoryOf('https://h/r.git#main')).toEqual({ url: 'https://h/r.git', ref: 'main' });
    expect(repositoryOf('https://h/r.git')).toEqual({ url: 'https://h/r.git' });
  });
});

describe('exit codes', () => {
  test.each([
    [new UsageError('x'), 2],
    [new Problem('not-signed-in', 'x'), 4],
    [new Problem('not-found', 'x'), 1],
    [new ServerUnreachable('http://x', 'gone'), 5],
    [new Refused('x'), 1],
    [new Refused('x', 5), 5],
    [new Error('x'), 1],
  ])('%s = %i', (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });

  async function run(argv: string[], env: Record<string, string> = {}) {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const io = { stdout, stderr, stdin: new PassThrough(), env, cwd: '/', now: () => 0 };
    const code = await main(argv, { root: '/nowhere', version: '1.2.3', io: io as unknown as Io });
    return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') };
  }
  const nobody = { BERTH_DATA_DIR: '/nonexistent/berth', XDG_CONFIG_HOME: '/nonexistent' };

  test('version, help, nothing, nonsense', async () => {
    expect(await run(['version'])).toMatchObject({ code: 0, out: 'berth 1.2.3\n' });
    expect(await run(['--version', '--json'])).toMatchObject({ code: 0 });
    expect((await run(['help'])).out).toContain('sessions new');
    expect((await run(['send', '--help'])).out).toContain('berth send <session>');
    expect(await run([])).toMatchObject({ code: 2, out: '' });
    expect(await run(['dance'])).toMatchObject({ code: 2 });
    expect(await run(['--json'])).toMatchObject({ code: 2, out: '' });
    expect((await run(['session', 'ls'])).err).toContain('berth sessions ls');
  });
  test('no server, a dead server, a wrong address', async () => {
    expect(await run(['sessions', 'ls'], nobody)).toMatchObject({ code: 5 });
    const dead = await run(['sessions', 'ls', '--server', 'http://127.0.0.1:1'], nobody);
    expect(dead.code).toBe(5);
    expect(dead.err).toContain('cannot be reached');
    expect(await run(['sessions', 'ls', '--server', 'nonsense'], nobody)).toMatchObject({
      code: 2,
    });
  });
});

describe('how things look', () => {
  test('no colour where nobody sees it', () => {
    expect(wantsColour(true, {})).toBe(true);
    expect(wantsColour(false, {})).toBe(false);
    expect(wantsColour(true, { NO_COLOR: '1' })).toBe(false);
    expect(wantsColour(true, { TERM: 'dumb' })).toBe(false);
  });
  test.each([
    [0, 'now'],
    [-5000, 'now'],
    [999, 'now'],
    [1000, '1 s ago'],
    [61_000, '1 m ago'],
    [7_200_000, '2 h ago'],
    [90_000_000, '1 d ago'],
  ])('%i ms', (ms, says) => {
    expect(ago('1970-01-01T00:00:00.000Z', ms)).toBe(says);
  });
  test('money, sizes, columns', () => {
    expect(['0', '0.004', '1.5'].map(dollars)).toEqual(['–', '<$0.01', '$1.50']);
    expect([12, 1234, 245_000_000].map(bytes)).toEqual(['12 B', '1.2 kB', '245 MB']);
    const bold = styleFor(true).bold('ab');
    expect(
      columns(
        ['A', 'B'],
        [
          [bold, 'x'],
          ['abc', ''],
        ],
      ),
    ).toBe(`A    B\n${bold}   x\nabc`);
  });
  test('what others wrote cannot paint the screen', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // eslint-disable-next-line no-control-regex -- these are what must not come through
        expect(safe(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
        expect(oneLine(text, 20).length).toBeLessThanOrEqual(20);
      }),
    );
  });
});

describe('finding one thing', () => {
  const all = [
    { id: '01900000-0000-7000-8000-00000000aaaa', title: 'one' },
    { id: '01900000-0000-7000-8000-00000000bbbb', title: 'two' },
    { id: '01900000-0000-7000-8000-00000001bbbb', title: 'two' },
  ];
  const find = (name: string) => pick('session', name, all, (item) => item.title).id;
  test('by the end of its id, its whole id, its name', () => {
    expect(find('aaaa')).toBe(all[0]?.id);
    expect(find('0001bbbb')).toBe(all[2]?.id);
    expect(find('ONE')).toBe(all[0]?.id);
    expect(find(all[1]?.id ?? '')).toBe(all[1]?.id);
  });
  test.each(['nope', 'aa', 'two', 'bbbb', '0190'])('not by %s', (name) => {
    expect(() => find(name)).toThrow(Refused);
  });
  test('says where to look, or which ones are meant', () => {
    expect(() => find('nope')).toThrow('`berth sessions ls` lists them');
    expect(() => find('two')).toThrow(all[2]?.id);
  });
});

test.each([
  ['cancel', undefined, 'chat', 'nothing was running'],
  ['cancel', 't', 'chat', 'stopping'],
  ['takeBack', undefined, 'chat', 'the chat has the conversation already'],
  ['takeBack', undefined, 'terminal', 'on its way back into the chat'],
  ['resume', undefined, 'chat', 'idle'],
] as const)('an order says what became of it: %s', (name, currentTurnId, holder, says) => {
  const before = { holder, ...(currentTurnId === undefined ? {} : { currentTurnId }) };
  expect(outcomeOf(name, before, { status: 'idle' })).toBe(says);
});

describe('Ctrl-C while a message is on its way', () => {
  async function stopped(refusal?: Problem) {
    const did: string[] = [];
    const done = stopTurn(
      {
        turns: {
          withdraw: (_session, turnId) => {
            did.push(`withdraw ${turnId}`);
            return Promise.reject(refusal ?? new Problem('not-found', 'away'));
          },
        },
        sessions: {
          cancel: (session) => {
            did.push(`cancel ${session}`);
            return Promise.reject(new Problem('not-ready', 'later'));
          },
        },
      },
      's',
      't',
    );
    await expect(done).rejects.toThrow(Problem);
    return did;
  }
  test('it is taken back where it waits; only where it was sent, what runs is stopped', async () => {
    expect(await stopped()).toEqual(['withdraw t']);
    expect(await stopped(new Problem('turn-already-sent', 'sent'))).toEqual([
      'withdraw t',
      'cancel s',
    ]);
  });
});

test('a server that is away for longer than a restart is said once, and that it is back', () => {
  const away = createAwayWords();
  const retry = (attempt: number) => away({ kind: 'awaiting-retry', attempt, delayMs: 250 });
  expect(away({ kind: 'connected', attempt: 0 })).toBeNull();
  expect([retry(1), away({ kind: 'connected', attempt: 1 })]).toEqual([null, null]);
  expect([1, 2, 3, 4].map(retry)).toEqual([
    null,
    null,
    expect.stringContaining('does not answer'),
    null,
  ]);
  expect(away({ kind: 'connecting', attempt: 4 })).toBeNull();
  expect(away({ kind: 'connected', attempt: 4 })).toBe('the server is back');
  expect(away({ kind: 'connected', attempt: 0 })).toBeNull();
});

test('a terminal without a size gets the usual one', () => {
  expect(sizeOf({ columns: 0, rows: 0 })).toEqual({ cols: 80, rows: 24 });
  expect(sizeOf({ columns: 1, rows: 5000 })).toEqual({ cols: 2, rows: 1000 });
});

test('a message in question: every answer is a command', () => {
  const text = howToSettle('01900000-0000-7000-8000-0000deadbeef');
  for (const answer of settleTurn.shape.answer.options)
    expect(text).toContain(`berth settle deadbeef ${answer}`);
});

describe('approvals', () => {
  const options = [
    { optionId: 'allow', name: 'Allow', kind: 'allow_once' as const },
    { optionId: 'always', name: 'Always allow', kind: 'allow_always' as const },
    { optionId: 'no', name: 'Reject', kind: 'reject_once' as const },
  ];
  test('once before always; by id or name; never guessed', () => {
    expect(chooseOption({ options }, 'allow', undefined)).toBe('allow');
    expect(chooseOption({ options }, 'reject', undefined)).toBe('no');
    expect(chooseOption({ options }, 'allow', 'always allow')).toBe('always');
    expect(() => chooseOption({ options }, 'allow', 'other')).toThrow(UsageError);
    const two = [options[0]!, { ...options[0]!, optionId: 'b', name: 'B' }];
    expect(() => chooseOption({ options: two }, 'allow', undefined)).toThrow(UsageError);
    expect(() => chooseOption({ options: two }, 'reject', undefined)).toThrow(Refused);
  });
  test('who comes second is told who was first', () => {
    const by = { id: 'u', name: 'Ana' };
    const tell = (decision: object) =>
      answeredBefore({ options }, { detail: 'It no longer waits.', extra: { decision } });
    expect(tell({ by, optionId: 'no' })).toBe('Ana has answered it already: Reject');
    expect(tell({ by })).toBe('Ana has answered it already');
    expect(tell({})).toBe('It no longer waits.');
  });
  test('says how to answer', () => {
    const approvalId = '01900000-0000-7000-8000-0000deadbeef';
    expect(howToAnswer({ approvalId, revision: 1, title: 'Write a.txt', options })).toBe(
      [
        'It waits for you: Write a.txt',
        '  berth approve deadbeef                    Allow',
        "  berth approve deadbeef --option 'always'  Always allow",
        '  berth deny deadbeef                       Reject',
      ].join('\n'),
    );
  });
});

describe('keys', () => {
  const keys = (text: string) => Buffer.from(text, 'latin1');
  test.each([
    ['abc', 'abc', false],
    ['a\x1dd', 'a', true],
    ['\x1dx', '\x1dx', false],
    ['\x1d\x1d', '\x1d', false],
    ['\x1d\x1dd', '\x1dd', false],
    ['\x1d', '', false],
  ])('%j', (typed, forwarded, detach) => {
    const taken = takeKeys({ pending: false }, keys(typed));
    expect(Buffer.from(taken.forward).toString('latin1')).toBe(forwarded);
    expect(taken.detach).toBe(detach);
  });
  test('however the bytes are cut, the same goes through', () => {
    const typed = fc.string({ unit: fc.constantFrom('\x1d', 'd', 'a'), maxLength: 20 });
    fc.assert(
      fc.property(typed, fc.nat({ max: 20 }), (text, at) => {
        const whole = takeKeys({ pending: false }, keys(text));
        const first = takeKeys({ pending: false }, keys(text.slice(0, at)));
        if (first.detach) return;
        const second = takeKeys(first.state, keys(text.slice(at)));
        expect(Buffer.concat([first.forward, second.forward])).toEqual(Buffer.from(whole.forward));
        expect(second.detach).toBe(whole.detach);
      }),
    );
  });
});

describe('a transcript', () => {
  let seq = 0;
  const event = (kind: string, payload: unknown): Event =>
    ({ sessionId: 's', seq: ++seq, at: '2026-01-01T00:00:00.000Z', kind, payload }) as Event;
  const text = (value: string) => [{ type: 'text', text: value }];
  const tell = (events: Event[]): string => {
    const transcript = createTranscript(plain, { prompts: true, boot: true });
    return events.map(transcript).join('');
  };
  test('what was typed in the terminal says so', () => {
    expect(
      tell([
        event('message.user', {
          messageId: 'u',
          turnId: 't',
          content: text('hi'),
          via: 'terminal',
        }),
        event('message', { messageId: 'm', content: text('Hello') }),
      ]),
    ).toBe('› hi (in the terminal)\nHello\n');
  });
  test('text streams once, tools are one line, a cut stream is finished by its message', () => {
    expect(
      tell([
        event('message.user', { messageId: 'u', turnId: 't', content: text('hi') }),
        event('message.delta', { messageId: 'm', text: 'Hel' }),
        event('message.delta', { messageId: 'm', text: 'lo' }),
        event('message', { messageId: 'm', content: text('Hello you') }),
        event('tool', { toolCallId: 'c', title: 'ls', kind: 'execute', status: 'pending' }),
        event('tool', { toolCallId: 'c', status: 'failed', exitCode: 2 }),
        event('message', { messageId: 'n', content: text('Bye') }),
        event('turn.ended', { turnId: 't', state: 'done' }),
        event('turn.ended', {
          turnId: 't',
          state: 'failed',
          error: { code: 'x', detail: 'no luck' },
        }),
      ]),
    ).toBe('› hi\nHello you\n✗ execute ls (exit 2)\nBye\nturn failed: no luck\n');
  });
  test('an answer is said by its name, not by the id that the agent has for it', () => {
    const options = [{ optionId: 'proceed_once', kind: 'allow_once', name: 'Allow' }];
    const decided = { approvalId: 'a', revision: 1, state: 'decided' };
    const by = { id: 'u', name: 'Ana' };
    expect(
      tell([
        event('approval.requested', { approvalId: 'a', revision: 1, title: 'Write', options }),
        event('approval.resolved', { ...decided, optionId: 'proceed_once', by }),
      ]),
    ).toMatch(/\n {2}decided by Ana: Allow\n$/);
  });
});

test('what git said', () => {
  expect(explainApply("Applied patch to 'a b.txt' with conflicts.\nU a b.txt")).toContain(
    'a b.txt',
  );
  expect(explainApply('error: a.txt: does not match index')).toContain('Commit or stash');
  expect(explainApply('error: corrupt patch at line 3')).toContain('corrupt patch');
});

describe('taking a patch over', () => {
  /** A repository with `sub/a.txt`, and a patch that a session would have made of `a.txt` as it sees it. */
  async function repository(inGit = true) {
    const dir = await mkdtemp(join(tmpdir(), 'berth-pull-'));
    const sub = join(dir, 'sub');
    await mkdir(sub);
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: dir });
    await writeFile(join(sub, 'a.txt'), 'one\ntwo\nthree\n');
    if (inGit) {
      git('init', '-q');
      git('add', '.');
      git('commit', '-qm', 'base');
    }
    const hash = execFileSync('git', ['hash-object', join(sub, 'a.txt')])
      .toString()
      .trim();
    const patch = Buffer.from(
      `diff --git a/a.txt b/a.txt\nindex ${hash}..0000000000000000000000000000000000000001 100644\n` +
        '--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n' +
        'diff --git a/new.txt b/new.txt\nnew file mode 100644\n' +
        '--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n',
    );
    const read = (name: string) => readFile(join(sub, name), 'utf8');
    return { sub, git, patch, read, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
  }

  test.each([true, false])('into a folder below the root, git: %s', async (inGit) => {
    await using repo = await repository(inGit);
    await applyPatch(repo.sub, repo.patch);
    expect(await repo.read('a.txt')).toBe('one\nTWO\nthree\n');
    expect(await repo.read('new.txt')).toBe('new\n');
  });
  test('both sides changed the line: the conflict is in the file, and named', async () => {
    await using repo = await repository();
    await writeFile(join(repo.sub, 'a.txt'), 'one\nzwei\nthree\n');
    repo.git('commit', '-qam', 'ours');
    await expect(applyPatch(repo.sub, repo.patch)).rejects.toThrow(
      'conflicts to resolve in:\n  sub/a.txt',
    );
    expect(await repo.read('a.txt')).toContain('<<<<<<<');
  });
  test('uncommitted changes are left alone', async () => {
    await using repo = await repository();
    await writeFile(join(repo.sub, 'a.txt'), 'mine\n');
    await expect(applyPatch(repo.sub, repo.patch)).rejects.toThrow('Commit or stash');
    expect(await repo.read('a.txt')).toBe('mine\n');
  });
  test('what is no patch changes nothing', async () => {
    await using repo = await repository(false);
    await expect(applyPatch(repo.sub, Buffer.from('nonsense'))).rejects.toThrow(
      'nothing was changed',
    );
  });
});

describe('packing a folder', () => {
  async function packed(dir: string): Promise<string[]> {
    const { bytes: stream, done } = await pack(dir);
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    await done;
    const list = execFileSync('tar', ['-tf', '-'], { input: Buffer.concat(chunks) }).toString();
    return list
      .split('\n')
      .filter((line) => line !== '' && line !== './')
      .toSorted();
  }
  test('with git: tracked and new files, not the ignored, not the deleted; else everything', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-pack-'));
    try {
      const git = (...args: string[]) => execFileSync('git', args, { cwd: dir });
      await mkdir(join(dir, 'sub'));
      await writeFile(join(dir, 'sub/a b\n.txt'), 'x');
      await writeFile(join(dir, '-weird'), 'x');
      await writeFile(join(dir, 'gone.txt'), 'x');
      await writeFile(join(dir, '.gitignore'), 'secret\n');
      await writeFile(join(dir, 'secret'), 'x');
      await symlink('sub', join(dir, 'link'));
      expect(await packed(dir)).toContain('./secret');
      git('init', '-q');
      git('add', 'gone.txt');
      await rm(join(dir, 'gone.txt'));
      expect(await packed(dir)).toEqual(['-weird', '.gitignore', 'link', 'sub/a b\\n.txt']);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
  test('a folder that is none', async () => {
    await expect(pack('/nonexistent/x')).rejects.toThrow(Refused);
  });
});

test('who has the conversation is said to whoever leaves the agent’s own terminal', () => {
  expect(afterLeaving(false, false, 'abcd')).toBeNull();
  expect(afterLeaving(true, true, 'abcd')).toBe('the chat has the conversation again');
  expect(afterLeaving(true, false, 'abcd')).toMatch(
    /messages wait: .*berth sessions take-back abcd/,
  );
});
