import { DoorError, type Door, type RunRequest, type RunResult } from '../agentd/ports.ts';
import type { Place } from '../../agentd/protocol.ts';
import { limits } from '../limits.ts';
import { parseDiff, type Changes } from './changes.ts';

export type { Place };

/** Refusals that a person gets to read. */
export class Refusal extends Error {
  readonly code: string;
  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

/**
 * The state of the workspace when the session's code had come in, as one commit in a repository of ours beside it: the workspace's own
 * `.git` stays as it is, and what its `.gitignore` names is left out. Changes are what differs from that commit.
 */
export interface Base {
  exists(): Promise<boolean>;
  /** Makes it from what is there now; an older one is replaced. Answers the number of files. */
  make(): Promise<number>;
  changes(): Promise<Changes>;
  /** For a stream of the patch, after the index was brought up to date. */
  patch(path?: string): Promise<Pick<RunRequest, 'argv' | 'env' | 'cwd'>>;
  /** For a stream of one file of the base. Refuses `not-found`. */
  show(
    path: string,
  ): Promise<{ sizeBytes: number; etag: string } & Pick<RunRequest, 'argv' | 'env' | 'cwd'>>;
}

const ref = 'refs/heads/base';
const settings = [
  ...['-c', 'core.quotepath=off', '-c', 'core.autocrlf=false', '-c', 'core.fsmonitor=false'],
  ...['-c', 'gc.auto=0', '-c', 'commit.gpgsign=false', '-c', 'core.hooksPath=/dev/null'],
  ...['-c', 'safe.directory=*', '-c', 'advice.addEmbeddedRepo=false'],
];

/** A file that cannot be read is left out: it must not hide the changes of all others. */
const makeScript = `
dir=$1 ref=$2 work=$3 what=$4; shift 4
git "$@" init --quiet --bare --initial-branch=base "$dir" || exit
export GIT_DIR="$dir" GIT_WORK_TREE="$work"
git "$@" config core.bare false &&
  { [ "$what" = nothing ] || git "$@" add --all --ignore-errors . || git "$@" rev-parse --git-dir >/dev/null; } &&
  tree=$(git "$@" write-tree) &&
  commit=$(git "$@" commit-tree "$tree" -m base) &&
  git "$@" update-ref "$ref" "$commit" &&
  git "$@" ls-files -z | tr -cd '\\000' | wc -c`;

export function createBase(
  door: Pick<Door, 'run'>,
  place: Place,
  /** The session began with nothing in its workspace: its base is the empty tree, made when somebody asks for changes. */
  beganEmpty: () => boolean,
): Base {
  const gitDir = `${place.home}/.berth/base.git`;
  const env = {
    GIT_DIR: gitDir,
    GIT_WORK_TREE: place.workspace,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Berth',
    GIT_AUTHOR_EMAIL: 'berth@localhost',
    GIT_COMMITTER_NAME: 'Berth',
    GIT_COMMITTER_EMAIL: 'berth@localhost',
  };
  const command = (...args: string[]) => ({
    argv: ['git', ...settings, ...args],
    env,
    cwd: '/workspace',
  });
  const git = (...args: string[]): Promise<RunResult> =>
    door.run({ ...command(...args), timeoutMs: limits.gitMs });
  async function must(...args: string[]): Promise<string> {
    const done = await git(...args);
    if (done.code !== 0)
      throw new Refusal(
        'git-failed',
        `git ${args[0] ?? ''}: ${done.timedOut ? 'took too long' : done.stderr.trim().slice(-500)}`,
      );
    return done.stdout;
  }
  // One at a time: two of them would meet at the index's lock.
  let queue: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work, work);
    queue = result.catch(() => undefined);
    return result;
  }
  async function exists(): Promise<boolean> {
    try {
      return (await git('rev-parse', '--quiet', '--verify', ref)).code === 0;
    } catch (error) {
      if (error instanceof DoorError && error.code === 'spawn-failed') return false; // no git here
      throw error;
    }
  }
  async function make(what: 'all' | 'nothing'): Promise<number> {
    // One script: seven processes one after the other through agentd would be felt at every start.
    const words = ['berth', gitDir, ref, place.workspace, what, ...settings];
    const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, ...plain } = env;
    const made = await door.run({
      argv: ['sh', '-c', makeScript, ...words],
      env: plain,
      cwd: '/workspace',
      timeoutMs: limits.gitMs,
    });
    if (made.code === 0) return Number(made.stdout.trim());
    const why = made.timedOut ? 'took too long' : made.stderr.trim().slice(-500);
    throw new Refusal('git-failed', `git: ${why}`);
  }
  async function existsOrIsEmpty(): Promise<boolean> {
    if (await exists()) return true;
    if (!beganEmpty()) return false;
    try {
      await make('nothing');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal('no-base', `The session's changes cannot be shown: ${error.message}`);
    }
    return true;
  }
  const stage = async (): Promise<void> => {
    if (!(await existsOrIsEmpty())) throw new Refusal('no-base', 'The session has no base yet.');
    // An unreadable file must not hide the changes of all others.
    await must('add', '--all', '--ignore-errors', '.').catch(async (error: unknown) => {
      if ((await git('diff', '--cached', '--quiet', ref)).code === null) throw error;
    });
  };

  return {
    exists: () => inTurn(exists),
    make: () => inTurn(() => make('all')),
    changes: () =>
      inTurn(async () => {
        if (!(await existsOrIsEmpty())) return { files: [] };
        await stage();
        const base = (await must('rev-parse', ref)).trim();
        const diff = await must(
          'diff',
          '--cached',
          '--raw',
          '--numstat',
          '-z',
          '-M',
          '--no-ext-diff',
          ref,
        );
        return { base, files: parseDiff(diff) };
      }),
    patch: (path) =>
      inTurn(async () => {
        await stage();
        const what = [
          '--cached',
          '--binary',
          '--full-index',
          '--no-color',
          '--no-ext-diff',
          '--no-textconv',
          '--no-renames',
        ];
        return command(
          'diff',
          ...what,
          ref,
          ...(path === undefined ? [] : ['--', `:(top,literal)${path}`]),
        );
      }),
    show: (path) =>
      inTurn(async () => {
        const object = await git('rev-parse', '--quiet', '--verify', `${ref}:${path}`);
        if (object.code !== 0) throw new Refusal('not-found', `${path} is not in the base.`);
        const etag = object.stdout.trim();
        if ((await must('cat-file', '-t', etag)).trim() !== 'blob')
          throw new Refusal('not-a-file', `${path} is not a file.`);
        const sizeBytes = Number((await must('cat-file', '-s', etag)).trim());
        return { sizeBytes, etag, ...command('cat-file', 'blob', etag) };
      }),
  };
}
