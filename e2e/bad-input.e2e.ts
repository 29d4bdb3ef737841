import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { attachTerminal } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { dist, runnerPid, startBerth, until, type Berth } from './support/berth.ts';
import { openDatabaseOf } from './support/people.ts';
import { autoAgent, idle, replay, say, text } from './support/talk.ts';

/* Whatever is wrong with what it is given: one clear sentence where the person looks, and nothing is lost. */

/** Starts what should not start: what it says on standard error, and how it ends. */
async function refusedStart(
  env: Record<string, string>,
  uid?: number,
): Promise<{ code: number | null; said: string[] }> {
  const child = spawn(process.execPath, [dist('control-plane', 'main.mjs')], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), PORT: '0', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  // The log's own lines are JSON; what a person is told is not.
  return { code, said: said.split('\n').filter((line) => line !== '' && !line.startsWith('{')) };
}
function oneSentence(
  { code, said }: { code: number | null; said: string[] },
  wanted: RegExp,
): void {
  expect(code, said.join('\n')).toBe(1);
  expect(said, said.join('\n')).toHaveLength(1);
  expect(said[0]).toMatch(wanted);
  expect(said[0]).not.toMatch(/\n\s+at /);
}

describe('a start that cannot be', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'berth-e2e-bad-'));
  });
  afterAll(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  test('wrong variables: all of them at once, each by its name', async () => {
    const { code, said } = await refusedStart({
      BERTH_DATA_DIR: dir,
      PORT: 'x',
      LOG_LEVEL: 'loud',
    });
    expect(code).toBe(1);
    expect(said.join('\n')).toMatch(/PORT/);
    expect(said.join('\n')).toMatch(/LOG_LEVEL/);
    expect(said.length).toBeLessThanOrEqual(3);
  });

  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    // By name and process, where the system lets us look.
    const holder =
      process.platform === 'linux' ? ` by .* \\(process ${String(process.pid)}\\)` : '';
    oneSentence(
      await refusedStart({ BERTH_DATA_DIR: join(dir, 'port'), PORT: port }),
      new RegExp(`^berth: PORT: ${port} on 127\\.0\\.0\\.1 is in use${holder}: .*set PORT`),
    );
    server.close();
  });

  test.each(['/proc/berth', '/proc/berth/below', '/dev/null/berth'])(
    'a data directory that can never be: %s',
    async (path) => {
      const from = performance.now();
      oneSentence(
        await refusedStart({ BERTH_DATA_DIR: path }),
        new RegExp(`BERTH_DATA_DIR: "${path}"`),
      );
      expect(performance.now() - from).toBeLessThan(10_000);
    },
  );

  test('an address that is not this machine’s', async () => {
    oneSentence(
      await refusedStart({ BERTH_DATA_DIR: join(dir, 'host'), HOST: '192.0.2.1' }),
      /^berth: HOST: 192\.0\.2\.1 is no address of this machine$/,
    );
  });

  test.skipIf(process.getuid?.() !== 0)('a data directory that may not be read', async () => {
    const closed = join(dir, 'closed');
    await mkdir(closed, { mode: 0o700 });
    await chmod(dir, 0o755);
    oneSentence(await refusedStart({ BERTH_DATA_DIR: closed }, 65534), /closed/);
  });

  test.skipIf(process.getuid?.() !== 0)('a user without a name, as containers have', async () => {
    const own = join(dir, 'nameless');
    await mkdir(own);
    await chown(own, 54_321, 54_321);
    await chmod(dir, 0o755);
    oneSentence(await refusedStart({ BERTH_DATA_DIR: own }, 54_321), /passwd.*DATABASE_URL/);
  });

  test('a file where the data directory should be', async () => {
    oneSentence(await refusedStart({ BERTH_DATA_DIR: '/etc/passwd' }), /\/etc\/passwd/);
  });

  test('a database that does not answer, and one that is none', async () => {
    oneSentence(
      await refusedStart({
        BERTH_DATA_DIR: join(dir, 'db'),
        DATABASE_URL: 'postgresql://berth:hidden-word@127.0.0.1:1/x',
      }),
      /^(?!.*hidden-word).*(database|DATABASE_URL|Postgres)/i,
    );
  });
});

describe('a product that runs', () => {
  let berth: Berth;
  beforeAll(async () => {
    berth = await startBerth();
  });
  afterAll(async () => {
    await berth[Symbol.asyncDispose]();
  });
  const session = async () => {
    const made = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
    return idle(berth, made.id);
  };

  test('a second instance on the same data is refused, the first goes on', async () => {
    const refused = await refusedStart({ BERTH_DATA_DIR: berth.dataDir });
    oneSentence(refused, new RegExp(berth.dataDir));
    expect(refused.said[0]).toMatch(/already|another/i);
    const { id } = await session();
    expect((await say(berth, id, '/say here')).reply).toBe('here');
  });

  test('a database of a newer version is left alone', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'berth-e2e-newer-'));
    const other = await startBerth({ dataDir });
    try {
      const sql = await openDatabaseOf(dataDir);
      await sql.query(
        `insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
         values ($1, 'x', '29990101000000_of_tomorrow', now(), 1)`,
        [randomUUID()],
      );
      await sql.end();
      await other.stop();
      oneSentence(await refusedStart({ BERTH_DATA_DIR: dataDir }), /newer/i);
      const again = await refusedStart({ BERTH_DATA_DIR: dataDir });
      oneSentence(again, /newer/i);
    } finally {
      const pid = await runnerPid(dataDir);
      if (pid !== undefined) process.kill(pid, 'SIGTERM');
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  test('a prompt of 5 MB arrives whole; one of 25 MB is refused in words', async () => {
    const { id } = await session();
    const large = `/say ok\n${'x'.repeat(5 * 2 ** 20)}`;
    const turnId = randomUUID();
    await berth.client.turns.create(id, { id: turnId, prompt: text(large) });
    const turn = await berth.client.turns.get(id, turnId, { waitSeconds: 60 });
    expect(turn.state).toBe('done');
    const stored = (await replay(berth, id)).find((event) => event.kind === 'message.user');
    expect(JSON.stringify(stored).length).toBeGreaterThan(5 * 2 ** 20);
    await expect(
      berth.client.turns.create(id, { id: randomUUID(), prompt: text('x'.repeat(25 * 2 ** 20)) }),
    ).rejects.toMatchObject({ code: 'body-too-large' });
    expect((await say(berth, id, '/say after')).reply).toBe('after');
  });

  test('1 GB of output in a tool: the turn ends, the end of it is kept, memory stays', async () => {
    const { id } = await session();
    const turn = await say(
      berth,
      id,
      '/run head -c 1G /dev/zero | tr "\\0" "y"; echo the-end',
      120,
    );
    expect(turn.state).toBe('done');
    const log = await replay(berth, id);
    // Over 32 KB it lies aside, and its event names it.
    expect(JSON.stringify(log).length).toBeLessThan(2 ** 20);
    const output = log.flatMap((event) =>
      event.kind === 'tool' && event.payload.output !== undefined ? [event.payload.output] : [],
    );
    const last = output.at(-1);
    if (last === undefined || !('blobId' in last)) throw new Error(JSON.stringify(output));
    const kept = await (await berth.client.sessions.blob(id, last.blobId)).text();
    expect(kept).toContain('the-end');
    expect(Buffer.byteLength(kept)).toBe(last.bytes);
    expect(last.bytes).toBeLessThan(3 * 2 ** 20);
    expect(await residentBytes(berth.pid)).toBeLessThan(700 * 2 ** 20);
  });

  test('control sequences in a tool and a terminal, 64 MB of noise after them: both live on', async () => {
    const { id } = await session();
    const bomb = `node -e 'for (let n = 0; n < 2000; n++) process.stdout.write("\\x1b[2J\\x1b[?1049h\\x1b]0;" + "t".repeat(5000) + "\\x07\\x1b[999999999;999999999H\\x1b[5n\\x1b[c\\x1bP" + "q".repeat(3000) + "\\x9b99999999b")'`;
    expect((await say(berth, id, `/run ${bomb}`, 60)).state).toBe('done');
    const size = { cols: 80, rows: 24 };
    const terminal = await berth.client.terminals.open(id, { kind: 'shell', ...size });
    const attached = attachTerminal({
      client: berth.client,
      connect: connectNode,
      terminalId: terminal.id,
      size,
    });
    let seen = '';
    attached.onBytes((bytes) => {
      seen = (seen + Buffer.from(bytes).toString('latin1')).slice(-10_000);
    });
    const keys = `${bomb}; head -c 64M /dev/urandom; printf '\\033c'; echo al""ive\n`;
    await until(() => attached.write(Buffer.from(keys)), 10_000, 'the first key');
    await until(() => seen.includes('alive'), 120_000, 'the end of the flood');
    // The answers to all those device queries were typed into the shell, as every terminal does.
    await until(
      async () => {
        attached.write(Buffer.from('\x03\x15reset; echo we-""live\n'));
        return (await berth.client.terminals.screen(terminal.id)).text.includes('we-live');
      },
      20_000,
      'a screen that can be used',
    );
    attached.close();
    expect((await say(berth, id, '/say still here')).reply).toBe('still here');
  });

  test('a viewer of a terminal that stops reading holds nobody up', async () => {
    const { id } = await session();
    const terminal = await berth.client.terminals.open(id, { kind: 'shell', cols: 80, rows: 24 });
    const socket = await dial(
      `/api/v1/terminals/${terminal.id}/attach?cols=80&rows=24`,
      'berth.terminal.v1',
    );
    socket.send(
      Buffer.concat([Buffer.from([0]), Buffer.from('yes | head -c 20M; echo en""ded\n')]),
    );
    socket.pause();
    expect((await say(berth, id, '/say meanwhile', 20)).reply).toBe('meanwhile');
    expect(await residentBytes(berth.pid)).toBeLessThan(700 * 2 ** 20);
    socket.terminate();
    await until(
      async () => (await berth.client.terminals.screen(terminal.id)).text.includes('ended'),
      60_000,
      'the flood went on once the viewer was gone',
    );
  });

  test('a reader of events that stops reading is dropped, and reads all of it later', async () => {
    const { id } = await session();
    const socket = await dial('/api/v1/channels', 'berth.channels.v1');
    socket.send(JSON.stringify({ op: 'subscribe', id: '1', channel: `session/${id}`, after: 0 }));
    await once(socket, 'message');
    socket.pause();
    for (let round = 0; round < 4; round++)
      expect((await say(berth, id, `/run head -c 1M /dev/zero | tr "\\0" "z"`, 60)).state).toBe(
        'done',
      );
    socket.terminate();
    const log = await replay(berth, id);
    expect(log.filter((event) => event.kind === 'turn.ended')).toHaveLength(4);
  });

  test.each<[string, string, string, (string | Buffer)[]]>([
    [
      'channels',
      '/api/v1/channels',
      'berth.channels.v1',
      [
        'no json',
        '{',
        '[]',
        '{"op":"fly"}',
        '{"op":"subscribe","id":"1","channel":"session/../../x"}',
        '{"op":"subscribe","id":"1","channel":"session/x","after":-1,"tail":5}',
        `{"op":"ping","x":"${'y'.repeat(60_000)}"}`,
        Buffer.from([0, 1, 2]),
      ],
    ],
    [
      'terminal',
      '/api/v1/terminals/ID/attach?cols=80&rows=24',
      'berth.terminal.v1',
      [
        'text',
        Buffer.alloc(0),
        Buffer.from([9]),
        Buffer.from([1, 0]),
        Buffer.from([1, 0, 0, 0, 0]),
        Buffer.from([1, 255, 255, 255, 255]),
        Buffer.from([2, 255, 255, 255, 255, 255, 255, 255, 255]),
        Buffer.from([4, 1]),
      ],
    ],
    ['runner', '/api/v1/runner', 'berth.runner.v1', ['{', '{"op":"hello"}', Buffer.from([1])]],
  ])('frames that are none, on the socket of %s', async (name, path, protocol, frames) => {
    const { id } = await session();
    const terminal = await berth.client.terminals.open(id, { kind: 'shell', cols: 80, rows: 24 });
    for (const frame of frames) {
      const socket = await dial(path.replace('ID', terminal.id), protocol).catch(() => undefined);
      if (socket === undefined) {
        expect(name).toBe('runner'); // a person's token is no runner's
        continue;
      }
      const answered = new Promise<unknown>((done) => {
        socket.once('close', done);
        socket.on('message', (data: Buffer) => {
          if (/"op":"problem"|"op":"pong"/.test(data.toString())) done(data);
        });
        setTimeout(done, 1500);
      });
      socket.send(frame);
      await answered;
      socket.terminate();
    }
    expect((await say(berth, id, '/say unmoved')).reply).toBe('unmoved');
    const fatal = berth
      .log()
      .split('\n')
      .filter((line) => /"level":(60|"fatal")|uncaught|unhandled/i.test(line));
    expect(fatal).toEqual([]);
  });

  const dial = async (path: string, protocol: string): Promise<WebSocket> => {
    const socket = new WebSocket(`${berth.url.replace('http', 'ws')}${path}`, protocol, {
      headers: { authorization: `Bearer ${berth.token}` },
    });
    await new Promise<void>((done, failed) => {
      socket.once('open', done);
      socket.once('error', failed);
    });
    socket.on('error', () => undefined);
    return socket;
  };
});

async function residentBytes(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}
