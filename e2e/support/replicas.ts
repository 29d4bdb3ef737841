import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { createClient } from '../../client/index.ts';
import { createIdentity } from '../../control-plane/src/identity/index.ts';
import { createIds } from '../../control-plane/src/ids.ts';
import { startEmbeddedPostgres } from '../../control-plane/src/store/index.ts';
import { runnerPid, until, type Berth } from './berth.ts';
import { launch } from './launch.ts';

const clock = { now: () => Date.now() };

/** One process of the control plane, in the shape that the other helpers take. */
export interface Replica extends Pick<Berth, 'client' | 'url' | 'token' | 'log' | 'pid'> {
  /** As the database knows its connections. */
  readonly name: string;
  signal(name: NodeJS.Signals): void;
  ended(): Promise<void>;
}
export interface Cluster extends AsyncDisposable {
  readonly a: Replica;
  readonly b: Replica;
  readonly worker: Replica;
  readonly dataDir: string;
  readonly sql: pg.Pool;
  /** Who holds the runner's link, and the other one. */
  holder(): Promise<{ holder: Replica; other: Replica }>;
}

/** A worker and two processes that serve, each of its own, on one PostgreSQL. */
export async function startCluster(): Promise<Cluster> {
  await using scope = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'berth-replicas-'));
  scope.defer(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const postgres = scope.use(
    await startEmbeddedPostgres({
      baseDir: join(home, 'pg'),
      logger: pino({ level: 'error' }, pino.destination(2)),
    }),
  );
  const sql = new pg.Pool({ connectionString: postgres.url, max: 2 });
  scope.defer(() => sql.end());

  let token: string | undefined;

  async function start(name: string, role: string): Promise<Replica> {
    const dataDir = join(home, role === 'worker' ? 'worker' : name);
    await mkdir(dataDir, { recursive: true });
    const url = `${postgres.url}&application_name=${name}`;
    let written = '';
    const { child, ready } = launch({
      dataDir,
      env: { BERTH_ROLES: role, DATABASE_URL: url, PORT: '0' },
      heard: (text) => (written += text),
      written: () => written,
    });
    const gone = once(child, 'exit');
    scope.defer(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGCONT');
        child.kill('SIGTERM');
      }
      await gone;
    });
    const served = await ready;
    token ??= await signIn(sql);
    const held = token;
    return {
      name,
      url: served,
      token: held,
      client: createClient({ url: served, token: () => held }),
      pid: child.pid ?? 0,
      log: () => written,
      signal: (signal) => child.kill(signal),
      ended: async () => {
        await gone;
      },
    };
  }

  const a = await start('web-a', 'web');
  const b = await start('web-b', 'web');
  const worker = await start('worker', 'worker');
  const dataDir = join(home, 'worker');
  scope.defer(async () => {
    const pid = await runnerPid(dataDir);
    if (pid !== undefined && alive(pid)) process.kill(pid, 'SIGTERM');
  });
  scope.defer(async () => {
    // Sandboxes end with their sessions.
    await sql.query(`update session set desired = 'removed', deleted_at = now()`);
    await until(
      async () => (await sql.query<{ id: string }>('select id from session')).rows.length === 0,
      20_000,
    ).catch(() => undefined);
  });
  const holder = async (): Promise<{ holder: Replica; other: Replica }> => {
    const { rows } = await sql.query<{ url: string }>(
      `select p.url from runner r join replica p on p.id = r.replica_id`,
    );
    const url = rows[0]?.url;
    if (url === a.url) return { holder: a, other: b };
    if (url === b.url) return { holder: b, other: a };
    throw new Error('nobody holds the link of the runner');
  };
  await until(() => holder().then(Boolean, () => false), 20_000, 'a link');
  const all = scope.move();
  return {
    a,
    b,
    worker,
    dataDir,
    sql,
    holder,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Good at every process: it stands in the database. */
async function signIn(sql: pg.Pool): Promise<string> {
  const identity = createIdentity({ sql, clock, newId: createIds(clock) });
  return identity.localToken(await identity.ensureOwner({ user: 'ada', team: 'harbour' }));
}
function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What stands in front of several processes: each connection goes to the first one that takes it. */
export async function startBalancer(
  urls: () => readonly string[],
): Promise<AsyncDisposable & { url: string }> {
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => open.delete(socket));
    const dial = (rest: readonly string[]): void => {
      const [url, ...others] = rest;
      if (url === undefined || socket.destroyed) {
        socket.destroy();
        return;
      }
      const upstream = net.connect(Number(new URL(url).port), '127.0.0.1');
      let connected = false;
      upstream.once('connect', () => {
        connected = true;
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on('error', () => (connected ? socket.destroy() : dial(others)));
      upstream.once('close', () => {
        if (connected) socket.destroy();
      });
      socket.once('close', () => upstream.destroy());
    };
    dial(urls());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** From now on every row of a session's that a process writes is noted with its name. */
export async function watchWrites(sql: pg.Pool): Promise<(name: string) => Promise<string[]>> {
  const tables = ['session', 'session_head', 'session_event', 'turn', 'approval', 'terminal'];
  await sql.query(
    `create table if not exists test_write (at timestamptz default clock_timestamp(), name text, what text);
     create or replace function test_note() returns trigger language plpgsql as $$ begin
       insert into test_write (name, what) values (current_setting('application_name'), tg_op || ' ' || tg_table_name); return null; end $$;
     truncate test_write;`,
  );
  for (const table of tables)
    await sql.query(
      `create or replace trigger test_note after insert or update or delete on ${table} for each row execute function test_note()`,
    );
  return async (name) => {
    const { rows } = await sql.query<{ what: string }>(
      'select what from test_write where name = $1 order by at',
      [name],
    );
    return rows.map((row) => row.what);
  };
}
