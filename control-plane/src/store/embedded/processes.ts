import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** initdb and postgres refuse root. Undefined: run the server as ourselves. */
export async function serverUser(runAs: string | undefined): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const candidates = runAs === undefined ? ['postgres', 'nobody'] : [runAs];
  for (const name of candidates) {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)]);
    if (uid !== undefined && gid !== undefined && uid !== 0) return { uid, gid };
  }
  throw new Error(
    `PostgreSQL refuses to run as root and there is no user ${candidates.join(' or ')}: start Berth as an ordinary user, or set DATABASE_URL`,
  );
}

async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  try {
    return Number((await run('id', [flag, name])).stdout.trim());
  } catch {
    return undefined; // no such user
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A pid may be reused after a crash or a container's restart, so the name is looked at too. */
export async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform === 'win32') return true;
  return (await commandOf(pid)).includes('postgres');
}

async function commandOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') return await readFile(`/proc/${pid}/comm`, 'utf8');
    return (await run('ps', ['-o', 'comm=', '-p', String(pid)])).stdout;
  } catch {
    return ''; // gone meanwhile
  }
}
