import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { LinkTarget } from './link.ts';

/** `urls`: processes of one control plane, each as good as the other; without it `url` is the only one. */
const linkFile = z.object({
  url: z.url(),
  urls: z.optional(z.array(z.url()).check(z.minLength(1))),
  credential: z.string(),
  runnerId: z.string(),
});
const missing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** What the control plane wrote for us; null: it took the file away. Throws when it is there and cannot be understood. */
export async function readLinkFile(dir: string, turn = 0): Promise<LinkTarget | null> {
  let text: string;
  try {
    text = await readFile(join(dir, 'link.json'), 'utf8');
  } catch (error) {
    if (missing(error)) return null;
    throw error;
  }
  const { url, urls = [url], credential, runnerId } = z.parse(linkFile, JSON.parse(text));
  return {
    url: urls[turn % urls.length] ?? url,
    others: urls.length > 1,
    credential,
    runnerId,
  };
}

export interface Lock extends AsyncDisposable {
  readonly pid: number;
}

/** Alive and the same process: a pid alone may have been given out again. */
async function stamp(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
    return `${String(pid)} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    // No /proc on this system, or no such process: ask the system.
    try {
      process.kill(pid, 0);
      return `${String(pid)} `;
    } catch {
      return null;
    }
  }
}

/** One runner per state directory. Null: another one is alive. */
export async function lockStateDir(dir: string): Promise<Lock | null> {
  await mkdir(join(dir, 'sessions'), { recursive: true, mode: 0o700 });
  const path = join(dir, 'runner.lock');
  const own = (await stamp(process.pid)) ?? String(process.pid);
  const mine = join(dir, `runner.lock.${String(process.pid)}`);
  await writeFile(mine, own, { mode: 0o600 });
  try {
    for (let tries = 0; tries < 10; tries++) {
      try {
        await link(mine, path); // makes it or fails: never half of it
        return {
          pid: process.pid,
          async [Symbol.asyncDispose]() {
            await rm(path, { force: true });
          },
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const held = await readFile(path, 'utf8').catch((error: unknown) => {
        if (missing(error)) return '';
        throw error;
      });
      if (held === '') continue;
      if ((await stamp(Number.parseInt(held, 10))) === held) return null;
      // Its owner died. Of two that see this, only one can move this very file away.
      const stale = `${mine}.stale`;
      await rename(path, stale).catch((error: unknown) => {
        if (!missing(error)) throw error;
      });
      const moved = await readFile(stale, 'utf8').catch(() => '');
      if (moved !== '' && moved !== held) await link(stale, path).catch(() => undefined); // a fresh one: give it back
      await rm(stale, { force: true });
    }
    return null;
  } finally {
    await rm(mine, { force: true });
  }
}
