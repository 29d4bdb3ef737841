import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  agentdFrame,
  agentdVersion,
  encodeAgentdFrame,
  socketName,
  startFileName,
} from './protocol.ts';
import { testRunner, type TestRunner } from './testing/runner.ts';
import { startAgentd } from './testing/start.ts';
import { scanProcs } from './tree.ts';

const env = {};
const alive = (pid: number): boolean =>
  scanProcs().some((proc) => proc.pid === pid && !proc.zombie);
const numbered = (bytes: number): Buffer => {
  const line = (n: number) => `${String(n).padStart(9, '0')}\n`;
  return Buffer.from(Array.from({ length: bytes / 10 }, (_, n) => line(n)).join(''));
};

describe('processes', () => {
  test('pipes: output, errors, input, exit and its order', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    expect(await runner.hello).toMatchObject({ version: 1, processes: [] });
    runner.request(1, {
      op: 'spawn',
      tag: 'agent',
      argv: ['sh', '-c', 'echo up >&2; cat; echo $BERTH_TREE $OWN; exit 3'],
      env: { OWN: 'yes' },
    });
    await runner.reply(1, 'started');
    runner.input(1, 'one ');
    runner.input(1, 'two ');
    runner.request(1, { op: 'end-input' });
    expect(await runner.reply(1, 'exited')).toMatchObject({ code: 3, signal: null, outputTo: 18 });
    expect(runner.told(1).output.toString()).toBe('one two agent yes\n');
    expect(runner.told(1).stderr.toString()).toBe('up\n');
    runner.request(1, { op: 'forget' });
    runner.request(1, { op: 'resume' });
    expect(await runner.reply(1, 'failed')).toMatchObject({ code: 'unknown-id' });
    runner.die();
  });

  test.each([
    [{ argv: ['/no/such/program'] }, /ENOENT|no program/],
    [{ argv: ['no-such-program'], pty: { cols: 80, rows: 24 } }, /no program/],
    [{ argv: ['true'], cwd: '/workspace/none' }, /./],
    [{ argv: ['true'], cwd: '/workspace/none', pty: { cols: 80, rows: 24 } }, /no folder/],
  ])('what cannot start is an answer: %j', async (what, detail) => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    runner.request(1, { op: 'spawn', tag: 'agent', env, ...what });
    const failed = await runner.reply(1, 'failed');
    expect(failed.code).toBe('spawn-failed');
    expect(failed.detail).toMatch(detail);
    runner.die();
  });

  test('nothing is lost to a slow reader: 20 MB through a terminal, 20 MB through a pipe', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    const text = numbered(20_000_000);
    writeFileSync(path.join(agentd.workspace, 'flood'), text);
    const size = { cols: 80, rows: 24 };
    runner.request(1, { op: 'spawn', tag: 'terminal:1', argv: ['cat', 'flood'], env, pty: size });
    runner.request(2, { op: 'spawn', tag: 'agent', argv: ['cat', 'flood'], env });
    await runner.until('some', () => runner.told(1).output.length > 1_000_000);
    runner.stall(true);
    // Longer than any grace after an exit: what waits in the terminal must still be there.
    await new Promise((resolve) => setTimeout(resolve, 600));
    runner.stall(false);
    await runner.reply(1, 'exited');
    await runner.reply(2, 'exited');
    expect(runner.told(2).output.equals(text)).toBe(true);
    expect(runner.told(1).output.toString().replaceAll('\r\n', '\n') === text.toString()).toBe(
      true,
    );
    runner.die();
  });

  test('the last output of a terminal waits for a reader that holds it, however long after the exit', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    writeFileSync(path.join(agentd.workspace, 'text'), numbered(600_000));
    runner.request(1, {
      op: 'spawn',
      tag: 'terminal:1',
      argv: ['sh', '-c', 'read x; cat text; echo END'],
      env,
      pty: { cols: 80, rows: 24 },
    });
    await runner.reply(1, 'started');
    runner.request(1, { op: 'pause' });
    runner.input(1, 'go\r');
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(runner.told(1).output.length).toBe(0);
    runner.request(1, { op: 'resume' });
    await runner.reply(1, 'exited');
    const out = runner.told(1).output.toString();
    expect(out.endsWith('END\r\n')).toBe(true);
    expect(out.replaceAll('\r\n', '\n')).toContain(numbered(600_000).toString());
    runner.die();
  });

  test('a terminal: size, resize, keys, ^C, its end while a job goes on', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    runner.request(1, {
      op: 'spawn',
      tag: 'terminal:1',
      argv: ['bash', '--norc'],
      env: { PS1: '$ ' },
      pty: { cols: 91, rows: 17 },
    });
    const say = async (keys: string, answer: string | RegExp): Promise<void> => {
      const from = runner.told(1).output.length;
      runner.input(1, keys);
      await runner.until(String(answer), () =>
        new RegExp(answer).test(runner.told(1).output.subarray(from).toString()),
      );
    };
    await runner.until('a prompt', () => runner.told(1).output.includes('$ '));
    await say('stty size; tty\r', '17 91[^]*/dev/pts/');
    runner.request(1, { op: 'resize', cols: 120, rows: 40 });
    await say('stty size\r', '40 120');
    await say("sh -c 'echo started; exec sleep 100'\r", '[\r\n]started');
    await say('\x03', '\\$ ');
    await say('echo code $?\r', 'code 130');
    runner.input(1, 'sleep 60 & exit 5\r');
    expect(await runner.reply(1, 'exited')).toMatchObject({ code: 5 });
    runner.die();
  });

  test('a paste that nobody reads neither blocks nor spins agentd', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    runner.request(1, {
      op: 'spawn',
      tag: 'terminal:1',
      argv: ['sh', '-c', 'stty raw -echo; echo ready; sleep 600'],
      env,
      pty: { cols: 80, rows: 24 },
    });
    await runner.until('ready', () => runner.told(1).output.includes('ready'));
    for (let i = 0; i < 40; i++) runner.input(1, Buffer.alloc(64 * 1024, 'x'));
    const cpu = (): number => {
      const stat = readFileSync(`/proc/${String(agentd.process.pid)}/stat`, 'latin1').split(
        ') ',
      )[1];
      return Number(stat?.split(' ')[11]) + Number(stat?.split(' ')[12]);
    };
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = cpu();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(cpu() - before).toBeLessThan(30); // hundredths of a second
    runner.request(2, { op: 'run', argv: ['true'], env, limitBytes: 10, timeoutMs: 5000 });
    await runner.reply(2, 'done');
    runner.request(1, { op: 'kill', signal: 'SIGKILL', tree: true });
    await runner.reply(1, 'exited');
    runner.die();
  });
});

describe('trees', () => {
  const family = `sleep 901 & (setsid nohup sleep 902 >/dev/null 2>&1 &) ;
    (setsid sh -c 'setsid env -i /bin/sleep 903 & sleep 904' >/dev/null 2>&1 &) ; sleep 0.2; echo up; wait`;
  const sleepers = (): string[] =>
    scanProcs()
      .map((proc) => {
        try {
          return readFileSync(`/proc/${String(proc.pid)}/cmdline`, 'latin1');
        } catch {
          return '';
        }
      })
      .filter((line) => /^(\/bin\/)?sleep 90\d $/.test(line.replaceAll('\0', ' ')));

  test('a kill takes group, descendants and marked ones; a terminal and another agent live on', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    const size = { cols: 80, rows: 24 };
    runner.request(1, { op: 'spawn', tag: 'terminal:1', argv: ['sh'], env, pty: size });
    runner.request(2, { op: 'spawn', tag: 'agent', argv: ['sh', '-c', family], env });
    runner.request(3, { op: 'spawn', tag: 'other', argv: ['sleep', '600'], env });
    const [terminal, other] = [await runner.reply(1, 'started'), await runner.reply(3, 'started')];
    await runner.until('up', () => runner.told(2).output.includes('up'));
    expect(sleepers().length).toBe(4);
    runner.request(2, { op: 'kill', signal: 'SIGKILL', tree: true });
    expect(await runner.reply(2, 'exited')).toMatchObject({ signal: 'SIGKILL' });
    await runner.until('an empty tree', () => sleepers().length === 0);
    expect([alive(terminal.pid), alive(other.pid)]).toEqual([true, true]);
    runner.input(1, 'echo still here\r');
    await runner.until('an answer', () => runner.told(1).output.includes('\nstill here'));
    runner.die();
  });

  test('what outlived its root is found by its mark', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    const leave = '(setsid sleep 902 >/dev/null 2>&1 &); exit 0';
    runner.request(1, { op: 'spawn', tag: 'agent', argv: ['sh', '-c', leave], env });
    await runner.reply(1, 'exited');
    expect(sleepers().length).toBe(1);
    runner.request(1, { op: 'kill', signal: 'SIGKILL', tree: true });
    await runner.until('nothing', () => sleepers().length === 0);
    runner.die();
  });

  test('SIGTERM reaches the whole tree, and SIGINT the root alone when asked so', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    const trap = (text: string) =>
      `trap 'echo ${text}; exit 0' TERM INT; echo up; while :; do sleep 0.05; done`;
    const argv = ['sh', '-c', `sh -c "${trap('child')}" & ${trap('root')}`];
    for (const id of [1, 2]) {
      runner.request(id, { op: 'spawn', tag: `job:${String(id)}`, argv, env });
      await runner.until(
        'both up',
        () => runner.told(id).output.toString().split('up').length === 3,
      );
    }
    runner.request(1, { op: 'kill', signal: 'SIGTERM', tree: true });
    runner.request(2, { op: 'kill', signal: 'SIGINT', tree: false });
    await runner.until('both', () => /child/.test(runner.told(1).output.toString()));
    await runner.reply(1, 'exited');
    await runner.reply(2, 'exited');
    expect(runner.told(2).output.toString()).not.toContain('child');
    runner.request(2, { op: 'kill', signal: 'SIGKILL', tree: true });
    runner.die();
  });

  test('when agentd ends, its trees end', async () => {
    const agentd = await startAgentd();
    {
      await using ending = agentd;
      const runner = await testRunner(ending);
      await runner.hello;
      runner.request(1, { op: 'spawn', tag: 'agent', argv: ['sh', '-c', family], env });
      await runner.until('up', () => runner.told(1).output.includes('up'));
      runner.die();
    }
    await expect.poll(sleepers).toEqual([]);
  });
});

describe('the link', () => {
  test('a new runner goes on from its own offset: nothing lost, nothing twice', async () => {
    await using agentd = await startAgentd();
    const first = await testRunner(agentd);
    await first.hello;
    const text = numbered(3_000_000);
    writeFileSync(path.join(agentd.workspace, 'flood'), text);
    const argv = ['sh', '-c', 'cat flood; read x; echo $x >&2; exit 4'];
    first.request(7, { op: 'spawn', tag: 'agent', argv, env });
    await first.until('half', () => first.told(7).output.length > 1_500_000);
    const have = first.told(7).output;
    first.die();

    const second = await testRunner({ ...agentd, adopt: { 7: have.length } });
    const hello = await second.hello;
    expect(hello.processes).toMatchObject([{ id: 7, tag: 'agent', pty: false }]);
    expect(hello.processes[0]?.ringFrom).toBeLessThanOrEqual(have.length);
    await second.until(
      'the rest',
      () => second.told(7).output.length === text.length - have.length,
    );
    expect(Buffer.concat([have, second.told(7).output]).equals(text)).toBe(true);
    second.input(7, 'bye\n');
    expect(await second.reply(7, 'exited')).toMatchObject({ code: 4, outputTo: text.length });
    expect(second.told(7).stderr.toString()).toBe('bye\n');
    second.die();

    // An exit is told again until it is forgotten.
    const third = await testRunner({ ...agentd, adopt: { 7: text.length } });
    expect((await third.hello).processes).toMatchObject([{ id: 7, exit: { code: 4 } }]);
    third.die();
  });

  test('without a link a process waits, and loses nothing', async () => {
    await using agentd = await startAgentd();
    const first = await testRunner(agentd);
    await first.hello;
    const text = numbered(5_000_000);
    writeFileSync(path.join(agentd.workspace, 'flood'), text);
    first.request(1, { op: 'spawn', tag: 'agent', argv: ['sh', '-c', 'read x; cat flood'], env });
    await first.reply(1, 'started');
    first.input(1, 'go\n');
    first.die();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const second = await testRunner({ ...agentd, adopt: { 1: 0 } });
    await second.reply(1, 'exited');
    expect(second.told(1).output.equals(text)).toBe(true);
    second.die();
  });

  test.each<[string, (runner: TestRunner) => void]>([
    [
      'an oversized frame',
      (runner) => runner.raw(Buffer.from([255, 255, 255, 127, 0, 0, 0, 0, 0])),
    ],
    ['a frame too short', (runner) => runner.raw(Buffer.from([1, 0, 0, 0, 0]))],
    [
      'a type that does not exist',
      (runner) => runner.raw(encodeAgentdFrame(9, 1, Buffer.alloc(3))),
    ],
    [
      'a second hello',
      (runner) => runner.request(0, { op: 'hello', version: 1, ports: [], adopt: {} }),
    ],
  ])('%s drops the link, and only that', async (_, offend) => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    runner.request(1, { op: 'spawn', tag: 'agent', argv: ['sleep', '600'], env });
    const { pid } = await runner.reply(1, 'started');
    offend(runner);
    await runner.until('a new connection', () => runner.connections === 2);
    expect(alive(pid)).toBe(true);
    runner.die();
  });

  test.each([
    'no json',
    '[]',
    'null',
    '{"op":"nothing"}',
    '{"op":"constructor"}',
    '{"op":"spawn"}',
    '{"op":"spawn","tag":"a","argv":[],"env":{}}',
    '{"op":"spawn","tag":"a","argv":["x\\u0000y"],"env":{}}',
    '{"op":"spawn","tag":"a\\nb","argv":["true"],"env":{}}',
    '{"op":"spawn","tag":"a","argv":["true"],"env":{"A=B":"c"}}',
    '{"op":"spawn","tag":"a","argv":["true"],"env":{},"pty":{"cols":0,"rows":1}}',
    '{"op":"kill","signal":"SIGSTOP","tree":true}',
    '{"op":"read","path":""}',
    '{"op":"run","argv":["true"],"env":{},"limitBytes":-1,"timeoutMs":1}',
  ])('a malformed request is answered: %s', async (text) => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    runner.raw(encodeAgentdFrame(agentdFrame.control, 5, Buffer.from(text)));
    expect(await runner.reply(5, 'failed')).toMatchObject({ code: 'io' });
    runner.die();
  });

  describe('what the runner left to start', () => {
    const start = {
      version: agentdVersion,
      ports: [],
      files: [],
      id: 1,
      spawn: { tag: 'agent:early', argv: ['sh', '-c', 'echo up; cat'], env },
    };
    const leave =
      (what: unknown, file?: string) =>
      ({ socketDir, workspace }: { socketDir: string; workspace: string }): void => {
        writeFileSync(path.join(socketDir, startFileName), JSON.stringify(what));
        if (file !== undefined) writeFileSync(path.join(workspace, file), '');
      };

    test('runs before anybody comes, is told in the hello, and is heard from its first byte', async () => {
      await using agentd = await startAgentd(leave(start));
      await expect
        .poll(() => scanProcs().filter((proc) => proc.mark === 'agent:early').length)
        .toBeGreaterThan(0);
      const runner = await testRunner(agentd);
      expect((await runner.hello).processes).toMatchObject([{ id: 1, tag: 'agent:early' }]);
      runner.input(1, 'words');
      runner.request(1, { op: 'end-input' });
      expect(await runner.reply(1, 'exited')).toMatchObject({ code: 0, outputTo: 8 });
      expect(runner.told(1).output.toString()).toBe('up\nwords');
      runner.die();
      // The file is still there: a runner that comes back finds what ran, and nothing begins a second time.
      const next = await testRunner(agentd);
      expect((await next.hello).processes).toMatchObject([{ id: 1, exit: { code: 0 } }]);
      next.die();
    });

    test.each([
      ['of another version', leave({ ...start, version: agentdVersion + 1 }), 'another version'],
      ['half of it', leave({ ...start, spawn: {} }), 'start file'],
      ['files are there', leave(start, 'a.txt'), ''],
      ['no such program', leave({ ...start, spawn: { ...start.spawn, argv: ['/none'] } }), ''],
    ])('not: %s', async (_what, before, said) => {
      await using agentd = await startAgentd(before);
      const runner = await testRunner(agentd);
      expect((await runner.hello).processes).toEqual([]);
      expect(agentd.log()).toContain(said);
      runner.die();
    });
  });

  test('nothing starts before the hello', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner({ ...agentd, sayHello: false });
    await runner.until('a connection', () => runner.connections === 1);
    runner.request(1, { op: 'spawn', tag: 'agent', argv: ['touch', 'started'], env });
    await runner.until('a drop', () => runner.connections === 2);
    expect(
      statSync(path.join(agentd.workspace, 'started'), { throwIfNoEntry: false }),
    ).toBeUndefined();
    runner.die();
  });
});

describe('run', () => {
  test('answers with what was written, cut at the limit', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    const run = { op: 'run', env, timeoutMs: 5000 } as const;
    runner.request(1, {
      ...run,
      argv: ['sh', '-c', 'cat; pwd >&2; exit 2'],
      input: 'hi',
      limitBytes: 100,
    });
    expect(await runner.reply(1, 'done')).toEqual({
      ...{ op: 'done', code: 2, signal: null, stdout: 'hi', stderr: `${agentd.workspace}\n` },
      ...{ truncated: false, timedOut: false },
    });
    runner.request(2, { ...run, argv: ['yes'], limitBytes: 10, timeoutMs: 300 });
    expect(await runner.reply(2, 'done')).toMatchObject({
      ...{ stdout: 'y\ny\ny\ny\ny\n', truncated: true, timedOut: true, signal: 'SIGKILL' },
    });
    runner.request(3, { ...run, argv: ['none-such'], limitBytes: 10 });
    expect(await runner.reply(3, 'failed')).toMatchObject({ code: 'spawn-failed' });
    runner.die();
  });
});

describe('files', () => {
  test('a file that is read waits while its reader does, and ends early when it leaves', async () => {
    await using agentd = await startAgentd();
    const size = 64 * 1024 * 1024;
    writeFileSync(path.join(agentd.workspace, 'big'), '');
    truncateSync(path.join(agentd.workspace, 'big'), size);
    const runner = await testRunner(agentd);
    await runner.hello;
    const have = (id: number): number => runner.told(id).outputBytes;
    runner.request(1, { op: 'read', path: '/workspace/big' });
    runner.request(1, { op: 'pause' });
    runner.request(2, { op: 'read', path: '/workspace/big' });
    await runner.reply(2, 'end');
    expect(have(2)).toBe(size);
    const held = have(1);
    expect(held).toBeLessThan(size / 4);
    runner.request(1, { op: 'resume' });
    await runner.until('more', () => have(1) > held);
    runner.request(1, { op: 'kill', signal: 'SIGKILL', tree: false });
    await runner.reply(1, 'end');
    expect(have(1)).toBeLessThan(size);
    runner.request(1, { op: 'pause' });
    expect(await runner.reply(1, 'failed')).toMatchObject({ code: 'unknown-id' });
  });

  test('list, read, write by version, mkdir; nothing outside the workspace', async () => {
    await using agentd = await startAgentd();
    const at = (name: string): string => path.join(agentd.workspace, name);
    const runner = await testRunner(agentd);
    await runner.hello;
    let id = 0;
    const ask = (request: Parameters<TestRunner['request']>[1]): number => {
      runner.request(++id, request);
      return id;
    };
    const write = async (name: string, text: string, ifMatch?: string) => {
      const asked = ask({
        op: 'write',
        path: `/workspace/${name}`,
        ...(ifMatch ? { ifMatch } : {}),
      });
      runner.input(asked, text.slice(0, 3));
      runner.input(asked, text.slice(3));
      runner.request(asked, { op: 'end-input' });
      await runner.until('an answer', () => runner.told(asked).replies.length > 0);
      return runner.told(asked).replies[0];
    };
    expect(await write('a.txt', 'first text')).toMatchObject({ op: 'written' });
    const read = ask({ op: 'read', path: '/workspace/a.txt' });
    const meta = await runner.reply(read, 'meta');
    await runner.reply(read, 'end');
    expect(runner.told(read).output.toString()).toBe('first text');
    expect(meta.sizeBytes).toBe(10);
    expect(await write('a.txt', 'other text', meta.etag)).toMatchObject({ op: 'written' });
    expect(await write('a.txt', 'late', meta.etag)).toMatchObject({ code: 'version-stale' });
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('other text');

    expect((await runner.reply(ask({ op: 'mkdir', path: '/workspace/d/e' }), 'end')).op).toBe(
      'end',
    );
    symlinkSync('/etc', at('out'));
    symlinkSync('/etc/hostname', at('d/name'));
    symlinkSync('../a.txt', at('d/in'));
    const list = await runner.reply(ask({ op: 'list', path: '/workspace' }), 'list');
    expect(list.items.map((item) => `${item.name} ${item.type}`)).toEqual([
      ...['a.txt file', 'd directory', 'out link'],
    ]);
    expect(await write('d/in', 'through a link')).toMatchObject({ op: 'written' });
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('through a link');

    for (const bad of [
      '/etc/passwd',
      '/workspace/../etc/passwd',
      '/workspace/out/passwd',
      '/workspace/d/name',
      'a.txt',
      '/workspacex',
    ]) {
      const asked = ask({ op: 'read', path: bad });
      expect([bad, (await runner.reply(asked, 'failed')).code]).toEqual([bad, 'outside-workspace']);
    }
    expect(await write('out/x', 'no')).toMatchObject({ code: 'outside-workspace' });
    expect(await write('d/name', 'no')).toMatchObject({ code: 'outside-workspace' });
    expect(
      (await runner.reply(ask({ op: 'mkdir', path: '/workspace/out/x' }), 'failed')).code,
    ).toBe('outside-workspace');
    const none = await runner.reply(ask({ op: 'read', path: '/workspace/none' }), 'failed');
    expect(none.code).toBe('not-found');
    expect(none.detail).toMatch(/\/none: no such file or directory$/);
    expect((await runner.reply(ask({ op: 'read', path: '/workspace/d' }), 'failed')).code).toBe(
      'not-a-file',
    );
    expect((await runner.reply(ask({ op: 'list', path: '/workspace/a.txt' }), 'failed')).code).toBe(
      'not-a-directory',
    );
    expect(await write('none/x', 'no')).toMatchObject({ code: 'not-found' });
    runner.die();
  });

  test('files of ours are put anywhere: whole, with their folders, kept where they may be kept', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    const { place } = await runner.hello;
    expect(place).toMatchObject({ workspace: agentd.workspace, node: process.execPath });
    const at = path.join(agentd.workspace, '..', 'new', 'folder', 'own.txt');
    let id = 0;
    const put = async (content: string, overwrite: boolean, where = at) => {
      runner.request(++id, { op: 'put-files', files: [{ path: where, content, overwrite }] });
      await runner.until('an answer', () => runner.told(id).replies.length > 0);
      return runner.told(id).replies[0];
    };
    expect(await put('first', false)).toEqual({ op: 'end' });
    expect(await put('second', false)).toEqual({ op: 'end' });
    expect(readFileSync(at, 'utf8')).toBe('first');
    expect(await put('third', true)).toEqual({ op: 'end' });
    expect(readFileSync(at, 'utf8')).toBe('third');
    expect(readdirSync(path.dirname(at))).toEqual(['own.txt']);
    expect(await put('x', true, path.join(at, 'below-a-file'))).toMatchObject({ op: 'failed' });
    expect(await put('x', true, 'relative')).toMatchObject({ op: 'failed' });
    runner.die();
  });

  test('a large file comes whole through a slow reader, and a cut upload leaves nothing', async () => {
    await using agentd = await startAgentd();
    const runner = await testRunner(agentd);
    await runner.hello;
    const text = numbered(12_000_000);
    writeFileSync(path.join(agentd.workspace, 'big'), text);
    runner.request(1, { op: 'read', path: '/workspace/big' });
    runner.stall(true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    runner.stall(false);
    await runner.reply(1, 'end');
    expect(runner.told(1).output.equals(text)).toBe(true);
    mkdirSync(path.join(agentd.workspace, 'd'));
    runner.request(2, { op: 'write', path: '/workspace/d/half' });
    runner.input(2, 'half of it');
    runner.request(3, { op: 'run', argv: ['true'], env, limitBytes: 1, timeoutMs: 5000 });
    await runner.reply(3, 'done');
    runner.die();
    const again = await testRunner(agentd);
    await again.hello;
    again.request(1, { op: 'list', path: '/workspace/d' });
    expect((await again.reply(1, 'list')).items).toEqual([]);
    again.die();
  });
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

test('ports: bytes both ways, half-closed, and a runner that comes a moment later', async () => {
  await using agentd = await startAgentd();
  const port = await freePort();
  const ports = [{ port, socket: socketName.gateway }];
  const runner = await testRunner({ ...agentd, ports });
  await runner.hello;
  const late = createServer({ allowHalfOpen: true }, (socket) => {
    let got = '';
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
    socket.on('end', () => socket.end(`got ${got}`));
  });
  const answer = new Promise<string>((resolve, reject) => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    client.on('data', (chunk: Buffer) => (text += chunk.toString()));
    client.on('end', () => resolve(text));
    client.on('error', reject);
    client.end('a request');
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  late.listen(path.join(agentd.socketDir, socketName.gateway));
  expect(await answer).toBe('got a request');
  late.close();
  runner.die();
});
