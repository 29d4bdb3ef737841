import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { exitCode, Refused, type Run } from '../context.ts';
import { insideGit } from '../pack.ts';

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}
async function git(cwd: string, args: readonly string[], input?: Uint8Array): Promise<Ran> {
  const child = spawn('git', args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined); // its exit code says why
  child.stdin.end(input ?? new Uint8Array());
  const [code] = (await once(child, 'close').catch((error: unknown) => {
    throw new Refused(`git could not be started: ${String(error)}`);
  })) as [number | null];
  return { code, stdout, stderr };
}

/** What git said about a patch that it did not take as it was, in order of what a person can do about it. Pure. */
export function explainApply(stderr: string): string {
  const conflicts = [...stderr.matchAll(/Applied patch to '(.+)' with conflicts/g)].map(
    (m) => m[1],
  );
  if (conflicts.length > 0)
    return `taken over, with conflicts to resolve in:\n  ${conflicts.join('\n  ')}`;
  if (stderr.includes('does not match index'))
    return `nothing was changed: files that the session changed have changes here that are not staged. Commit or stash them, then pull again.\n${stderr.trim()}`;
  return `nothing was changed: git could not apply it.\n${stderr.trim()}`;
}

/** Into the files of a folder; inside a repository also where they moved on since, with conflicts marked. */
export async function applyPatch(cwd: string, patch: Uint8Array): Promise<void> {
  const inGit = await insideGit(cwd);
  // In a folder below the repository's root, git takes paths from the root: the folder has to be said.
  const prefix = inGit ? (await git(cwd, ['rev-parse', '--show-prefix'])).stdout.trim() : '';
  const below = prefix === '' ? [] : [`--directory=${prefix}`];
  const way = inGit ? ['--3way'] : [];
  const ran = await git(cwd, ['apply', ...way, ...below, '--whitespace=nowarn', '-'], patch);
  if (ran.code !== 0) throw new Refused(explainApply(ran.stderr));
}

export const pull: Run = async (context) => {
  const session = await context.findSession(context.word(0));
  const api = await context.client();
  const { base, files } = await api.changes.list(session.id);
  if (files.length === 0) {
    context.give({ base, files }, () => 'The session has changed nothing.');
    return exitCode.ok;
  }
  const patch = await (await api.changes.patch(session.id)).bytes();
  if (context.values['stat'] !== true) await applyPatch(context.cwd, patch);
  context.give({ base, files }, () => {
    const { style } = context;
    const sign = { added: 'A', modified: 'M', deleted: 'D', renamed: 'R' } as const;
    const lines = files.map((file) => {
      const counts =
        file.binary === true
          ? 'binary'
          : `${style.green(`+${file.added}`)} ${style.red(`−${file.deleted}`)}`;
      const path = file.from === undefined ? file.path : `${file.from} → ${file.path}`;
      return `${sign[file.status]} ${path} ${counts}`;
    });
    return lines.join('\n');
  });
  return exitCode.ok;
};
