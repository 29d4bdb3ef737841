import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { Refused } from './context.ts';

/** A folder as a tar stream: what git would commit or add, else everything. */
export interface Packed {
  bytes: AsyncIterable<Uint8Array>;
  /** Rejects when a program failed; await it after the stream ended. */
  done: Promise<void>;
}

export async function insideGit(dir: string): Promise<boolean> {
  const child = spawn('git', ['rev-parse', '--is-inside-work-tree'], { cwd: dir, stdio: 'ignore' });
  const [code] = (await once(child, 'exit').catch(() => [1])) as [number | null];
  return code === 0;
}

async function ended(child: ChildProcess, what: string): Promise<void> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close').catch((error: unknown) => {
    throw new Refused(`${what} could not be started: ${String(error)}`);
  })) as [number | null];
  if (code !== 0) throw new Refused(`${what} failed: ${stderr.trim() || `exit ${String(code)}`}`);
}

export async function checkFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => null);
  if (found?.isDirectory() !== true) throw new Refused(`${dir} is not a folder`);
}

export async function pack(dir: string): Promise<Packed> {
  await checkFolder(dir);
  if (!(await insideGit(dir))) {
    const tar = spawn('tar', ['-cf', '-', '-C', dir, '.'], { stdio: ['ignore', 'pipe', 'pipe'] });
    return { bytes: tar.stdout, done: ended(tar, 'tar') };
  }
  // Tracked and new files, as they are now; deleted ones are still listed and must not stop tar.
  const files = spawn('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate', '-z'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const args = ['-cf', '-', '-C', dir, '--null', '--no-recursion', '--ignore-failed-read'];
  const tar = spawn('tar', [...args, '--verbatim-files-from', '-T', '-'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const deleted = spawn('git', ['ls-files', '-d', '-z'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [listed, gone] = await Promise.all([
    collect(files.stdout),
    collect(deleted.stdout),
    ended(files, 'git ls-files'),
    ended(deleted, 'git ls-files'),
  ]);
  const missing = new Set(gone);
  tar.stdin.on('error', () => undefined); // its exit code says why
  tar.stdin.end(
    listed
      .filter((name) => !missing.has(name))
      .map((name) => `${name}\0`)
      .join(''),
  );
  return { bytes: tar.stdout, done: ended(tar, 'tar') };
}

async function collect(stream: AsyncIterable<Buffer>): Promise<string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks)
    .toString('utf8')
    .split('\0')
    .filter((name) => name !== '');
}
