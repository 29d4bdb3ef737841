import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { isAlive, isPostgres } from './processes.ts';

const program = 'control-plane/src/store/testing/supervised.ts';
const asRoot = process.getuid?.() === 0;
interface Said {
  url: string;
  pid: number;
  adopted: boolean;
  baseDir: string;
}

/** A folder for the server, and every process that was started on it ended at the end. */
async function scene(name = 'berth-embedded-') {
  const baseDir = await mkdtemp(join(tmpdir(), name));
  const servers = new Set<number>();
  const owners: Awaited<ReturnType<typeof start>>[] = [];
  async function start(command: readonly string[], folder: string) {
    const [file = '', ...args] = command;
    const child = spawn(file, [...args, process.execPath, program, folder], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stderr = text(child.stderr);
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const hear = async (): Promise<Said> => {
      const line = await lines.next();
      if (line.done) throw new Error(await stderr);
      const said = JSON.parse(line.value) as Said;
      servers.add(said.pid);
      return said;
    };
    return {
      said: await hear(),
      ask: () => {
        child.stdin.write('\n');
        return hear();
      },
      async end(signal: NodeJS.Signals) {
        child.kill(signal);
        const [code] = await ended;
        return code;
      },
    };
  }
  return {
    baseDir,
    async own(command: readonly string[] = ['env'], folder = baseDir) {
      const owner = await start(command, folder);
      owners.push(owner);
      return owner;
    },
    async [Symbol.asyncDispose]() {
      for (const owner of owners) await owner.end('SIGKILL');
      for (const pid of servers) if (await isPostgres(pid)) process.kill(pid, 'SIGKILL');
      await expect.poll(() => [...servers].filter(isAlive), { timeout: 10_000 }).toEqual([]);
      await rm(baseDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function query<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // the tests kill servers
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}
const one = async (url: string) => (await query<{ n: number }>(url, 'select n from kept'))[0]?.n;
const keep = (url: string) => query(url, 'create table kept as select 1 as n');

describe('the supervisor', () => {
  test('starts, stops, starts again with the same data; nobody else can read its folders', async () => {
    await using here = await scene();
    const first = await here.own();
    expect(first.said).toMatchObject({ adopted: false, baseDir: here.baseDir });
    expect(new URL(first.said.url).searchParams.get('host')).toBe(join(here.baseDir, 'pg/run'));
    await keep(first.said.url);
    const mode = async (name: string) => (await stat(join(here.baseDir, name))).mode & 0o777;
    expect(await mode('.')).toBe(asRoot ? 0o711 : 0o700);
    expect(await mode('pg')).toBe(0o700);
    expect(await mode('pg/run')).toBe(0o700);
    expect(await mode('pg.secret')).toBe(0o600);
    expect(await mode('postgres.log')).toBe(0o600);
    expect(await first.end('SIGTERM')).toBe(0);
    expect(isAlive(first.said.pid)).toBe(false);
    const second = await here.own();
    expect(second.said).toMatchObject({ adopted: false, url: first.said.url });
    expect(await one(second.said.url)).toBe(1);
  });

  test('after kill -9 of the owner the server lives on, and the next owner adopts it', async () => {
    await using here = await scene();
    const first = await here.own();
    await keep(first.said.url);
    await first.end('SIGKILL');
    expect(isAlive(first.said.pid)).toBe(true);
    const second = await here.own();
    expect(second.said).toMatchObject({ adopted: true, pid: first.said.pid });
    expect(await one(second.said.url)).toBe(1);
    expect(await second.end('SIGTERM')).toBe(0);
    expect(isAlive(first.said.pid)).toBe(false);
  });

  test('after kill -9 of the server it is started again, under the same URL, with all that was committed', async () => {
    await using here = await scene();
    const owner = await here.own();
    await keep(owner.said.url);
    for (let round = 0; round < 2; round += 1) {
      const before = await owner.ask();
      process.kill(before.pid, 'SIGKILL');
      const answer = () => one(owner.said.url).catch(() => undefined);
      await expect.poll(answer, { timeout: 20_000 }).toBe(1);
      await expect.poll(async () => (await owner.ask()).pid).not.toBe(before.pid);
      expect((await owner.ask()).url).toBe(owner.said.url);
    }
    expect(await owner.end('SIGTERM')).toBe(0);
  });

  test('kill -9 of both, then a start', async () => {
    await using here = await scene();
    const first = await here.own();
    await keep(first.said.url);
    await first.end('SIGKILL');
    process.kill(first.said.pid, 'SIGKILL');
    const second = await here.own();
    expect(second.said.adopted).toBe(false);
    expect(await one(second.said.url)).toBe(1);
  });

  test('a second instance on the same folder is refused in one sentence', async () => {
    await using here = await scene();
    const first = await here.own();
    await expect(here.own()).rejects.toThrow(`another instance is using ${here.baseDir}: stop it`);
    expect(await query(first.said.url, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  test('a postmaster.pid that names another process by now does not stop the start', async () => {
    await using here = await scene();
    const first = await here.own();
    expect(await first.end('SIGTERM')).toBe(0);
    const file = join(here.baseDir, 'pg/data-18/postmaster.pid');
    const lines = [process.pid, join(here.baseDir, 'pg/data-18'), 1, 5432, '', '', '', 'ready'];
    await writeFile(file, `${lines.join('\n')}\n`);
    const second = await here.own();
    expect(second.said.adopted).toBe(false);
    expect(Number((await readFile(file, 'utf8')).split('\n')[0])).toBe(second.said.pid);
  });

  test('a socket path that is too long for the system: loopback TCP, the same port after a crash', async () => {
    await using here = await scene();
    await chmod(here.baseDir, 0o711); // else the other user of the server could not pass it
    const folder = join(here.baseDir, 'x'.repeat(100));
    const owner = await here.own(['env'], folder);
    const url = new URL(owner.said.url);
    expect(url.hostname).toBe('127.0.0.1');
    expect(Number(url.port)).toBeGreaterThan(1023);
    await keep(owner.said.url);
    process.kill(owner.said.pid, 'SIGKILL');
    const answer = () => one(owner.said.url).catch(() => undefined);
    await expect.poll(answer, { timeout: 20_000 }).toBe(1);
  });

  test('a half-made cluster of a crashed start is not taken for a whole one', async () => {
    await using here = await scene();
    await mkdir(join(here.baseDir, 'pg/data-18.init-1'), { recursive: true });
    await writeFile(join(here.baseDir, 'pg/data-18.init-1/PG_VERSION'), '18\n');
    const owner = await here.own();
    expect(await query(owner.said.url, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  test.runIf(process.platform === 'linux')(
    'a server in another container, which is seen by its file lock only: refused',
    async () => {
      await using here = await scene();
      const first = await here.own();
      expect(await first.end('SIGTERM')).toBe(0);
      const lock = join(here.baseDir, 'pg/lock');
      const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; read end'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(holder.stdout, 'data');
      await expect(here.own()).rejects.toThrow(`another instance is using ${here.baseDir}`);
      holder.stdin.end();
      await once(holder, 'exit');
      expect((await here.own()).said.adopted).toBe(false);
    },
  );

  test('a password is needed', async () => {
    await using here = await scene();
    const owner = await here.own();
    const url = new URL(owner.said.url);
    url.password = 'wrong';
    await expect(query(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('a broken data folder: the reason is in the sentence', async () => {
    await using here = await scene();
    const owner = await here.own();
    expect(await owner.end('SIGTERM')).toBe(0);
    await rm(join(here.baseDir, 'pg/data-18/global/pg_control'));
    await expect(here.own()).rejects.toThrow(/PostgreSQL did not start:[^]*pg_control/);
  });
});

describe.runIf(asRoot && process.platform === 'linux')('as root', () => {
  test('the server runs as another user, also below a folder that this user cannot pass', async () => {
    await using here = await scene();
    const home = join(here.baseDir, 'home');
    await mkdir(home);
    await chmod(home, 0o700);
    const owner = await here.own(['env'], join(home, 'berth'));
    try {
      expect(owner.said.baseDir).toMatch(/^\/var\/lib\/berth\/[0-9a-f]{12}$/);
      expect((await stat(`/proc/${owner.said.pid}`)).uid).not.toBe(0);
      expect(await owner.end('SIGTERM')).toBe(0);
    } finally {
      await rm(owner.said.baseDir, { recursive: true, force: true });
    }
  });

  test('an ordinary user needs no root', async () => {
    await using here = await scene();
    await chmod(here.baseDir, 0o777);
    const owner = await here.own(
      [
        'setpriv',
        '--reuid=nobody',
        '--regid=nogroup',
        '--clear-groups',
        'env',
        'HOME=/nonexistent',
      ],
      join(here.baseDir, 'own'),
    );
    const uid = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    expect((await stat(`/proc/${owner.said.pid}`)).uid).toBe(uid);
    expect(await query(owner.said.url, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(await owner.end('SIGTERM')).toBe(0);
  });
});

test('the name of a process is looked at, not only its pid', async () => {
  expect(isAlive(process.pid)).toBe(true);
  expect(await isPostgres(process.pid)).toBe(false);
});
