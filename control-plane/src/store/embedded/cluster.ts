import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chown, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { socketPort, type Layout } from './layout.ts';
import type { ServerUser } from './processes.ts';

const run = promisify(execFile);
export const superuser = 'berth';
const logBytesMax = 10 * 1024 * 1024;
const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Makes the cluster in a temporary folder and renames it when it is complete: a crash cannot leave half a cluster. */
export async function ensureCluster(
  layout: Layout,
  binaries: string,
  user: ServerUser | undefined,
): Promise<void> {
  if (await exists(join(layout.data, 'PG_VERSION'))) return;
  const unfinished = `${layout.data}.init-${process.pid}`;
  const passwordFile = join(layout.home, `.password-${process.pid}`);
  const password = randomBytes(24).toString('base64url');
  try {
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (user) await chown(passwordFile, user.uid, user.gid);
    await run(
      join(binaries, 'bin', 'initdb'),
      [
        ...['-D', unfinished, '-U', superuser, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
        // The built-in locale provider needs nothing of the system.
        ...['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ],
      { ...user, cwd: layout.home, env: environment },
    );
    await writeFile(layout.secret, password, { mode: 0o600 });
    await rename(unfinished, layout.data);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    const why = reason(error);
    // Containers with a random uid: PostgreSQL looks its user up and takes no number for an answer.
    const remedy = why.includes('could not look up effective user')
      ? '. This user has no entry in /etc/passwd: add one, or set DATABASE_URL'
      : '';
    throw new Error(`initdb failed in ${layout.home}: ${why}${remedy}`, { cause: error });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function reason(error: unknown): string {
  const stderr = (error as { stderr?: string }).stderr?.trim();
  return stderr?.split('\n').at(-1) || String(error);
}

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** Undefined while it runs. */
  exitCode(): number | undefined;
}

/** Starts the server detached, so that it outlives us (kill -9) and Ctrl-C in our terminal does not reach it first. */
export async function spawnPostmaster(
  layout: Layout,
  binaries: string,
  user: ServerUser | undefined,
  wantedPort: number | undefined,
): Promise<Postmaster> {
  await rotate(layout.log);
  const port = layout.socket ? socketPort : (wantedPort ?? (await freePort()));
  const settings = {
    listen_addresses: layout.socket ? '' : '127.0.0.1',
    unix_socket_directories: layout.socket ? layout.run : '',
    unix_socket_permissions: '0700',
    max_connections: '60',
    io_method: 'sync', // fewer processes, and as fast on one machine
    jit: 'off',
    log_min_messages: 'warning',
  };
  const locker = await fileLock(layout);
  const [program = '', ...args] = [
    ...locker,
    join(binaries, 'bin', 'postgres'),
    ...['-D', layout.data, '-p', String(port)],
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const log = await open(layout.log, 'a', 0o600);
  try {
    const child = spawn(program, args, {
      ...user,
      cwd: layout.home,
      env: environment,
      detached: process.platform !== 'win32',
      stdio: ['ignore', log.fd, log.fd],
    });
    let exitCode: number | undefined;
    child.on('exit', (code) => (exitCode = code ?? 1));
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.on('error', () => (exitCode ??= 1));
    child.unref();
    return { pid, port, exitCode: () => exitCode };
  } finally {
    await log.close();
  }
}

/** The server of another container holds the file lock. Also seen for a moment after a crash, until the old server's last process is gone. */
export const lockedExitCode = 75;

/**
 * Two containers on one volume do not see each other's processes, and PostgreSQL's own checks fail there. A file lock does not: it is held until
 * the last process of the server is gone. `flock` becomes the server (-F), so the process id stays. BusyBox's flock cannot do that.
 */
async function fileLock(layout: Layout): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const version = await run('flock', ['--version']).catch(() => undefined);
  if (!version?.stdout.includes('util-linux')) return [];
  return ['flock', '-n', '-E', String(lockedExitCode), '-F', join(layout.home, 'lock')];
}

export async function lastLogLines(layout: Layout): Promise<string> {
  const text = await readFile(layout.log, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-8).join('\n');
}

async function rotate(log: string): Promise<void> {
  const info = await stat(log).catch(() => undefined);
  if (info && info.size > logBytesMax) await rename(log, `${log}.1`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no free TCP port');
  return address.port;
}
