import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Null: there is no git on this machine. */
export async function git(
  cwd: string,
  args: readonly string[],
  input?: Uint8Array,
): Promise<Ran | null> {
  const child = spawn('git', args, {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    // Nothing here may wait for a person at a prompt that nobody sees.
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined); // its exit code says why
  child.stdin.end(input ?? new Uint8Array());
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? 1, stdout: Buffer.concat(stdout), stderr };
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return null;
    throw error;
  }
}

export async function isRepository(folder: string): Promise<boolean> {
  const ran = await git(folder, ['rev-parse', '--is-inside-work-tree']);
  return ran?.code === 0 && ran.stdout.toString().trim() === 'true';
}

export type ApplyCheck =
  | { readonly kind: 'clean' }
  /** It does not fit as it is; where git knows the old contents, it can merge and leave conflicts to resolve. */
  | { readonly kind: 'conflicts'; readonly canMerge: boolean; readonly detail: string }
  | { readonly kind: 'no-git' };

async function argsFor(folder: string): Promise<string[]> {
  // In a folder below the repository's root git takes paths from the root: the folder has to be said.
  const prefix =
    (await git(folder, ['rev-parse', '--show-prefix']))?.stdout.toString().trim() ?? '';
  return ['--whitespace=nowarn', ...(prefix === '' ? [] : [`--directory=${prefix}`])];
}

/** Changes nothing: would the patch fit this folder? */
export async function checkPatch(folder: string, patch: Uint8Array): Promise<ApplyCheck> {
  const more = await argsFor(folder);
  const plain = await git(folder, ['apply', '--check', ...more, '-'], patch);
  if (plain === null) return { kind: 'no-git' };
  if (plain.code === 0) return { kind: 'clean' };
  const canMerge = await isRepository(folder);
  return { kind: 'conflicts', canMerge, detail: plain.stderr.trim() };
}

export type Applied =
  | { readonly kind: 'applied' }
  | { readonly kind: 'conflicts'; readonly files: readonly string[] }
  | { readonly kind: 'refused'; readonly detail: string };

export async function applyPatch(
  folder: string,
  patch: Uint8Array,
  merge: boolean,
): Promise<Applied> {
  const more = await argsFor(folder);
  const ran = await git(folder, ['apply', ...(merge ? ['--3way'] : []), ...more, '-'], patch);
  if (ran === null) return { kind: 'refused', detail: 'git was not found' };
  if (ran.code === 0) return { kind: 'applied' };
  const files = [...ran.stderr.matchAll(/Applied patch to '(.+)' with conflicts/g)].flatMap(
    ([, path]) => path ?? [],
  );
  if (files.length > 0) return { kind: 'conflicts', files };
  return { kind: 'refused', detail: ran.stderr.trim() };
}
