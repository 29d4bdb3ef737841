import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { git, isRepository } from './git.ts';
import { padding, tarEnd, tarHeader, type TarEntry } from './tar.ts';

/** Above this a copy is no longer a quick thing; the server's own limit is higher. */
export const packBytesMax = 512 * 1024 * 1024;
const filesMax = 200_000;
/** Not walked into where no git says what belongs to the code. */
const leftOut = new Set(['.git', 'node_modules', '.venv', '__pycache__']);

export interface Folder {
  readonly root: string;
  readonly entries: readonly TarEntry[];
  readonly sizeBytes: number;
}

/** What goes into the sandbox: what git would commit or add, as it is now; without git everything but what tools made. */
export async function listFolder(root: string, signal: AbortSignal): Promise<Folder> {
  const names = (await isRepository(root)) ? await listedByGit(root) : await walk(root, signal);
  const entries: TarEntry[] = [];
  let sizeBytes = 0;
  for (const name of names.sort()) {
    signal.throwIfAborted();
    const entry = await entryOf(root, name);
    if (entry === null) continue;
    entries.push(entry);
    sizeBytes += entry.sizeBytes;
  }
  return { root, entries, sizeBytes };
}

async function listedByGit(root: string): Promise<string[]> {
  const ran = await git(root, ['ls-files', '-co', '--exclude-standard', '--deduplicate', '-z']);
  if (ran?.code !== 0) throw new Error(`git ls-files: ${ran?.stderr.trim() ?? 'no git'}`);
  return ran.stdout
    .toString('utf8')
    .split('\0')
    .filter((name) => name !== '');
}

async function walk(root: string, signal: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!leftOut.has(entry.name)) folders.push(path);
      } else names.push(relative(root, path).replaceAll(sep, '/'));
      if (names.length > filesMax) throw new Error(`more than ${filesMax} files`);
    }
  }
  return names;
}

/** Null: gone meanwhile, or nothing that a workspace can hold (a socket, a device, a submodule's folder). */
async function entryOf(root: string, name: string): Promise<TarEntry | null> {
  const path = join(root, name);
  const found = await lstat(path).catch(() => null);
  if (found === null) return null;
  const common = { name, mode: found.mode, modifiedMs: found.mtimeMs, target: '' };
  if (found.isSymbolicLink())
    return { ...common, kind: 'link', sizeBytes: 0, target: await readlink(path) };
  return found.isFile() ? { ...common, kind: 'file', sizeBytes: found.size } : null;
}

/** The folder as a tar, read as it is sent. A file that shrinks or grows meanwhile ends the stream: half a copy must not look whole. */
export async function* packFolder(
  folder: Folder,
  options: { signal: AbortSignal; onBytes?: (done: number) => void },
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for (const entry of folder.entries) {
    yield* tarHeader(entry);
    if (entry.kind === 'link') continue;
    let left = entry.sizeBytes;
    const path = join(folder.root, entry.name);
    const stream = createReadStream(path, { signal: options.signal, highWaterMark: 256 * 1024 });
    for await (const chunk of stream) {
      const bytes = chunk as Buffer;
      left -= bytes.length;
      if (left < 0) break;
      sent += bytes.length;
      yield bytes;
      options.onBytes?.(sent);
    }
    if (left !== 0) throw new Error(`${entry.name} changed while it was read`);
    yield padding(entry.sizeBytes);
  }
  yield tarEnd();
}
