import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionSpec } from '@berth/contract/link';
import { loopbackPort } from '../../agentd/protocol.ts';
import { LineSplitter } from '../acp/lines.ts';
import { DoorError, type Door } from '../agentd/ports.ts';
import { cloneProgress } from '../git/changes.ts';
import { Refusal, type Base, type Place } from '../git/base.ts';
import { limits } from '../limits.ts';
import type { EarlyAgent } from './early-agent.ts';

export type Report = (
  detail: string,
  progress?: { done: number; total: number; unit: string },
) => void;

const cloneEnv = {
  HTTPS_PROXY: `http://127.0.0.1:${String(loopbackPort.egress)}`,
  https_proxy: `http://127.0.0.1:${String(loopbackPort.egress)}`,
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'true',
  GIT_LFS_SKIP_SMUDGE: '1',
};

/**
 * Brings the code in and makes the base. May be repeated: a workspace with a base is ready; a clone that was cut off is begun again.
 * `awaiting-archive`: somebody will stream it in.
 */
export async function prepareWorkspace(options: {
  door: Door;
  base: Base;
  began: Began;
  early: Pick<EarlyAgent, 'foundEmpty'>;
  place: Place;
  spec: Pick<SessionSpec, 'repository' | 'awaitArchive'>;
  report: Report;
  notice: (code: string, text: string) => void;
}): Promise<'ready' | 'awaiting-archive'> {
  const { door, base, began, place, spec, report, notice } = options;
  if (began.empty) return 'ready';
  // The usual start: nothing is there, so nothing is to be counted, and no process stands between the sandbox and its agent.
  if (
    !spec.awaitArchive &&
    !spec.repository &&
    (options.early.foundEmpty || (await isEmpty(door)))
  ) {
    await began.markEmpty();
    return 'ready';
  }
  if (await base.exists()) return 'ready';
  if (spec.awaitArchive) return 'awaiting-archive';
  if (spec.repository) await clone(door, place, spec.repository, report);
  await makeBase(base, notice);
  return 'ready';
}

async function isEmpty(door: Pick<Door, 'ask'>): Promise<boolean> {
  const reply = await door.ask({ op: 'list', path: '/workspace' });
  return reply.op === 'list' && reply.items.length === 0;
}

/** Whether the workspace was empty when the session began. On our side of the boundary, and on disk before the agent may write. */
export interface Began {
  readonly empty: boolean;
  markEmpty(): Promise<void>;
}
export function createBegan(dir: string): Began {
  const path = join(dir, 'began-empty');
  let empty = existsSync(path);
  return {
    get empty() {
      return empty;
    },
    async markEmpty() {
      const file = await open(path, 'w', 0o600);
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      empty = true;
    },
  };
}

/** Without git the agent still works; only its changes cannot be shown. */
export async function makeBase(
  base: Base,
  notice: (code: string, text: string) => void,
): Promise<number> {
  try {
    return await base.make();
  } catch (error) {
    const noGit = error instanceof DoorError && error.code === 'spawn-failed';
    if (!noGit && !(error instanceof Refusal)) throw error;
    notice('no-base', `The session's changes cannot be shown: ${error.message}`);
    return 0;
  }
}

async function clone(
  door: Door,
  place: Place,
  repository: { url: string; ref?: string | undefined },
  report: Report,
): Promise<void> {
  const mark = `${place.home}/.berth/cloning`;
  const shell = async (script: string): Promise<string> => {
    const argv = ['sh', '-c', script, 'berth', place.workspace, mark];
    const done = await door.run({ argv, cwd: '/workspace', env: {} });
    if (done.code !== 0) throw new Refusal('workspace-failed', done.stderr.trim().slice(-500));
    return done.stdout;
  };
  // What an unfinished clone left is removed; what a person put there is not ours to touch.
  const found = await shell(
    'if [ -e "$2" ]; then find "$1" -mindepth 1 -delete; fi; ls -A "$1" | head -n 1; mkdir -p "${2%/*}"',
  );
  if (found.trim() !== '') return;
  await shell(': > "$2"');
  report(`Cloning ${repository.url}`);
  const cloned = await git(
    door,
    ['clone', '--progress', '--no-tags', '--', repository.url, '.'],
    (line) => {
      const progress = cloneProgress(line);
      if (progress)
        report(`Cloning: ${progress.detail}`, { done: progress.done, total: 100, unit: '%' });
    },
  );
  if (cloned !== null) throw new Refusal('clone-failed', `Cloning failed: ${cloned}`);
  if (repository.ref !== undefined) {
    const { ref } = repository;
    if (ref.startsWith('-')) throw new Refusal('clone-failed', `${ref} is not a ref.`);
    const failed =
      (await git(door, ['checkout', '--quiet', ref, '--'], () => undefined)) &&
      ((await git(door, ['fetch', '--quiet', 'origin', ref], () => undefined)) ??
        (await git(door, ['checkout', '--quiet', '--detach', 'FETCH_HEAD'], () => undefined)));
    if (failed !== null) throw new Refusal('clone-failed', `Checking out ${ref} failed: ${failed}`);
  }
  await shell('rm -f "$2"');
}

/** Null: it worked. Else its last words. */
async function git(
  door: Door,
  args: string[],
  progress: (line: string) => void,
): Promise<string | null> {
  const said: string[] = [];
  const lines = new LineSplitter(limits.toolText);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => started?.kill('SIGKILL', true), limits.cloneMs);
    let started: { kill(signal: 'SIGKILL', tree: boolean): void; forget(): void } | undefined;
    door
      .spawn(
        {
          tag: 'job:clone',
          argv: ['git', '-c', 'credential.helper=', '-c', 'safe.directory=*', ...args],
          cwd: '/workspace',
          env: cloneEnv,
        },
        {
          output: () => undefined,
          stderr: (bytes) =>
            // Progress overwrites itself with carriage returns.
            lines.push(
              Buffer.from(bytes.toString('latin1').replaceAll('\r', '\n'), 'latin1'),
              (line) => {
                progress(line);
                if (cloneProgress(line) === null) said.push(line);
                if (said.length > 20) said.shift();
              },
            ),
          exited(exit, lost) {
            clearTimeout(timer);
            if (!lost) started?.forget();
            if (exit.code === 0) resolve(null);
            else
              resolve(
                said.at(-1) ??
                  (lost
                    ? 'the sandbox went away'
                    : `git ended with ${String(exit.code ?? exit.signal)}`),
              );
          },
        },
      )
      .then(
        (process) => {
          started = process;
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
  });
}
