import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ServerUser } from './processes.ts';

/** The data folder carries the major version: there is no pg_upgrade in the binaries. */
const major = 18;
/** `sun_path` holds 108 bytes; PostgreSQL adds "/.s.PGSQL.<port>" and needs an end. */
const socketPathBytesMax = 103;
export const socketPort = 5432;

export interface Layout {
  readonly base: string;
  readonly home: string;
  readonly data: string;
  readonly run: string;
  readonly secret: string;
  readonly log: string;
  /** Unix socket; else loopback TCP on a free port. */
  readonly socket: boolean;
}

export function layoutOf(base: string): Layout {
  const home = join(base, 'pg');
  const run = join(home, 'run');
  const socketPath = join(run, `.s.PGSQL.${socketPort}`);
  return {
    base,
    home,
    data: join(home, `data-${major}`),
    run,
    secret: join(base, 'pg.secret'),
    log: join(base, 'postgres.log'),
    socket: process.platform !== 'win32' && Buffer.byteLength(socketPath) <= socketPathBytesMax,
  };
}

/**
 * Where the cluster lives. As root the server has another uid, which cannot pass a 0700 home: then a folder below /var/lib, named
 * after the wanted one, takes its place.
 */
export async function reachableBase(
  wanted: string,
  user: ServerUser | undefined,
  elsewhere = '/var/lib/berth',
): Promise<string> {
  const base = resolve(wanted);
  if (!user) return base;
  for (let folder = dirname(base); ; folder = dirname(folder)) {
    if (!(await passable(folder, user))) {
      return join(elsewhere, createHash('sha256').update(base).digest('hex').slice(0, 12));
    }
    if (folder === dirname(folder)) return base;
  }
}

/** Folders that do not exist yet are made by us, so they will be. */
async function passable(folder: string, { uid, gid }: ServerUser): Promise<boolean> {
  const info = await stat(folder).catch(() => undefined);
  if (!info) return true;
  if (info.uid === uid) return (info.mode & 0o100) !== 0;
  if (info.gid === gid) return (info.mode & 0o010) !== 0;
  return (info.mode & 0o001) !== 0;
}

export async function makeFolders(layout: Layout, user: ServerUser | undefined): Promise<void> {
  await mkdir(layout.base, { recursive: true, mode: user ? 0o711 : 0o700 });
  // It may have been there with another mode. The server's user passes through, and cannot list it.
  await chmod(layout.base, user ? 0o711 : 0o700);
  for (const folder of [layout.home, layout.run]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    if (user) await chown(folder, user.uid, user.gid);
  }
}
