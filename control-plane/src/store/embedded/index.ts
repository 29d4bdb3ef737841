// The embedded PostgreSQL: one server per data folder, supervised by us.
//   not running → started · running, left behind by a killed Berth → adopted · dies while we run → started again
// The owner holds a session advisory lock on a connection of its own. The server frees it when the owner dies, and the owner learns by the
// end of that connection that the server died.
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import pg from 'pg';
import { findBinaries } from './binaries.ts';
import {
  ensureCluster,
  lastLogLines,
  lockedExitCode,
  spawnPostmaster,
  superuser,
} from './cluster.ts';
import { layoutOf, makeFolders, reachableBase, socketPort, type Layout } from './layout.ts';
import { parsePostmasterFile } from './postmaster-file.ts';
import { isAlive, isPostgres, serverUser, type ServerUser } from './processes.ts';

const limits = {
  connectMs: 2_000,
  adoptAttempts: 40,
  adoptPauseMs: 50,
  /** Crash recovery replays the log before the server lets anybody in. */
  startAttempts: 3_000,
  startPauseMs: 20,
  lockAttempts: 20,
  lockPauseMs: 100,
  stopMs: 15_000,
  quitAfterMs: 10_000,
  stopPauseMs: 25,
  restartPauseMsMax: 10_000,
};
const lockName = 'berth embedded owner';

export interface EmbeddedOptions {
  /** Holds everything of the server. As root it should be outside root's home; see `reachableBase`. */
  baseDir: string;
  logger: Logger;
  /** As root: the user that the server runs as. Default: postgres, else nobody. */
  runAs?: string;
  database?: string;
}
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  /** Of the postmaster; changes when it had to be started again. */
  readonly pid: number;
  /** It was already running: left behind by a Berth that was killed. */
  readonly adopted: boolean;
  readonly baseDir: string;
  stop(): Promise<void>;
}

interface Running {
  readonly pid: number;
  readonly port: number;
  readonly adopted: boolean;
  readonly admin: pg.Client;
}

export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { logger, database = 'berth' } = options;
  const user = await serverUser(options.runAs);
  const base = await reachableBase(options.baseDir, user);
  if (base !== options.baseDir) {
    logger.info({ base }, 'PostgreSQL keeps its files where its user can reach them');
  }
  const layout = layoutOf(base);
  await makeFolders(layout, user);
  const binaries = await findBinaries(base, user, logger);
  await ensureCluster(layout, binaries, user);
  const server = new Supervisor({ layout, binaries, user, logger, database });
  await server.start();
  return server;
}

class Supervisor implements EmbeddedPostgres {
  readonly #layout: Layout;
  readonly #binaries: string;
  readonly #user: ServerUser | undefined;
  readonly #logger: Logger;
  readonly #database: string;
  #password = '';
  #running: Running | undefined;
  #port: number | undefined;
  #firstAdopted = false;
  #stopping: Promise<void> | undefined;
  #recovering: Promise<void> = Promise.resolve();
  readonly #abort = new AbortController();

  constructor(parts: {
    layout: Layout;
    binaries: string;
    user: ServerUser | undefined;
    logger: Logger;
    database: string;
  }) {
    this.#layout = parts.layout;
    this.#binaries = parts.binaries;
    this.#user = parts.user;
    this.#logger = parts.logger;
    this.#database = parts.database;
  }

  get url(): string {
    const credentials = `${superuser}:${encodeURIComponent(this.#password)}`;
    return this.#layout.socket
      ? `postgresql://${credentials}@localhost:${socketPort}/${this.#database}?host=${encodeURIComponent(this.#layout.run)}`
      : `postgresql://${credentials}@127.0.0.1:${this.#port ?? 0}/${this.#database}`;
  }
  get pid(): number {
    return this.#running?.pid ?? 0;
  }
  get adopted(): boolean {
    return this.#firstAdopted;
  }
  get baseDir(): string {
    return this.#layout.base;
  }

  async start(): Promise<void> {
    this.#password = (await readFile(this.#layout.secret, 'utf8')).trim();
    const running = await this.#run();
    this.#firstAdopted = running.adopted;
    await this.#ensureDatabase(running.admin);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Adopts or starts the server, takes the lock, and watches it from then on. */
  async #run(): Promise<Running> {
    const running = (await this.#adopt()) ?? (await this.#spawn());
    try {
      await this.#own(running.admin);
    } catch (error) {
      await running.admin.end();
      throw error;
    }
    this.#running = running;
    this.#port = running.port;
    running.admin.once('end', () => {
      if (this.#stopping) return;
      this.#logger.warn({ pid: running.pid }, 'PostgreSQL is gone: starting it again');
      this.#recovering = this.#recover();
    });
    this.#logger.info({ pid: running.pid, adopted: running.adopted }, 'PostgreSQL is up');
    return running;
  }

  async #recover(): Promise<void> {
    for (let pauseMs = 20; !this.#abort.signal.aborted;) {
      try {
        await this.#run();
        return;
      } catch (error) {
        this.#logger.error({ err: error }, 'PostgreSQL could not be started again; trying on');
      }
      await sleep(pauseMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, limits.restartPauseMsMax);
    }
  }

  async #adopt(): Promise<Running | undefined> {
    const path = `${this.#layout.data}/postmaster.pid`;
    const file = parsePostmasterFile(await readFile(path, 'utf8').catch(() => ''));
    if (!file || !isAlive(file.pid)) return undefined; // PostgreSQL removes a dead server's file itself
    if (!(await isPostgres(file.pid))) {
      // After a container's restart the pid may be somebody else's, and PostgreSQL would refuse to start.
      this.#logger.warn({ pid: file.pid }, 'postmaster.pid names a process that is not PostgreSQL');
      await rm(path, { force: true });
      return undefined;
    }
    const port = file.port ?? this.#port ?? socketPort;
    for (let attempt = 0; attempt < limits.adoptAttempts; attempt += 1) {
      const admin = await this.#connect(port).catch(() => undefined);
      if (admin) return { pid: file.pid, port, adopted: true, admin };
      if (!isAlive(file.pid)) return undefined; // it was on its way down
      await sleep(limits.adoptPauseMs);
    }
    throw new Error(
      `PostgreSQL (process ${file.pid}) runs on ${this.#layout.data} but lets nobody in: see ${this.#layout.log}`,
    );
  }

  async #spawn(): Promise<Running> {
    for (let attempt = 0; attempt < limits.lockAttempts; attempt += 1) {
      const running = await this.#spawnOnce();
      if (running) return running;
      await sleep(limits.lockPauseMs);
    }
    throw this.#taken();
  }

  /** Undefined: the file lock is held, by another container or by what is left of a killed server. */
  async #spawnOnce(): Promise<Running | undefined> {
    const { pid, port, ...postmaster } = await spawnPostmaster(
      this.#layout,
      this.#binaries,
      this.#user,
      this.#port,
    );
    for (let attempt = 0; attempt < limits.startAttempts; attempt += 1) {
      const admin = await this.#connect(port).catch(() => undefined);
      if (admin) return { pid, port, adopted: false, admin };
      const exitCode = postmaster.exitCode();
      if (exitCode === lockedExitCode) return undefined;
      if (exitCode !== undefined) {
        throw new Error(`PostgreSQL did not start:\n${await lastLogLines(this.#layout)}`);
      }
      await sleep(limits.startPauseMs);
    }
    signal(pid, 'SIGQUIT');
    throw new Error(
      `PostgreSQL did not become ready in time:\n${await lastLogLines(this.#layout)}`,
    );
  }

  async #connect(port: number): Promise<pg.Client> {
    const client = new pg.Client({
      host: this.#layout.socket ? this.#layout.run : '127.0.0.1',
      port,
      user: superuser,
      password: this.#password,
      database: 'postgres',
      application_name: 'berth supervisor',
      connectionTimeoutMillis: limits.connectMs,
    });
    client.on('error', () => undefined); // `end` follows, and that is what we act on
    await client.connect();
    return client;
  }

  async #own(admin: pg.Client): Promise<void> {
    for (let attempt = 0; attempt < limits.lockAttempts; attempt += 1) {
      const { rows } = await admin.query<{ locked: boolean }>(
        'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
        [lockName],
      );
      if (rows[0]?.locked) return;
      await sleep(limits.lockPauseMs); // the owner may just be leaving
    }
    throw this.#taken();
  }

  #taken(): Error {
    return new Error(
      `another instance is using ${this.#layout.base}: stop it, or set BERTH_DATA_DIR`,
    );
  }

  async #ensureDatabase(admin: pg.Client): Promise<void> {
    const { rowCount } = await admin.query('select 1 from pg_database where datname = $1', [
      this.#database,
    ]);
    if (rowCount) return;
    await admin.query(`create database ${pg.escapeIdentifier(this.#database)}`);
  }

  async #stop(): Promise<void> {
    this.#abort.abort();
    await this.#recovering;
    const running = this.#running;
    if (!running) return;
    await running.admin.end().catch(() => undefined); // it may have died with the server
    signal(running.pid, 'SIGINT'); // fast shutdown: sessions end, the checkpoint is written
    for (let waitedMs = 0; isAlive(running.pid); waitedMs += limits.stopPauseMs) {
      if (waitedMs >= limits.stopMs) {
        throw new Error(`PostgreSQL (process ${running.pid}) did not stop`);
      }
      if (waitedMs === limits.quitAfterMs) signal(running.pid, 'SIGQUIT');
      await sleep(limits.stopPauseMs);
    }
    this.#logger.info({ pid: running.pid }, 'PostgreSQL stopped');
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it is gone already
  }
}
