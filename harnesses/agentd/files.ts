import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, opendir, realpath, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { AgentdReply } from './protocol.ts';

export type FileFailure = Extract<AgentdReply, { op: 'failed' }>['code'];
/** A refused file request: an answer to the runner, not a fault of agentd. */
export class FileProblem extends Error {
  readonly code: FileFailure;
  constructor(code: FileFailure, detail: string) {
    super(detail);
    this.code = code;
  }
}
const problemOf: Readonly<Record<string, FileFailure>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-a-directory',
  EISDIR: 'not-a-file',
  EEXIST: 'not-a-directory',
  ELOOP: 'outside-workspace',
  // No such name can be: too long, or with a byte that no name has.
  ENAMETOOLONG: 'not-a-file',
  EINVAL: 'not-a-file',
  ERR_INVALID_ARG_VALUE: 'not-a-file',
  // What the sandbox does with its own files is its affair: closed to itself, read-only, busy.
  EACCES: 'file-refused',
  EPERM: 'file-refused',
  EROFS: 'file-refused',
  EBUSY: 'file-refused',
  ETXTBSY: 'file-refused',
  ENOTEMPTY: 'file-refused',
  ENXIO: 'file-refused',
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
};
export function fileProblem(error: unknown): FileProblem {
  if (error instanceof FileProblem) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new FileProblem(problemOf[code] ?? 'io', wordsOf(error));
}

/** `ENOENT: no such file or directory, realpath '/workspace/a'` as a person says it: `/workspace/a: no such file or directory`. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const said = /^E[A-Z0-9]+: (.+?), /.exec(error.message)?.[1];
  if (said === undefined) return error.message;
  const at = 'path' in error && typeof error.path === 'string' ? error.path : '';
  // Half a file of ours beside the one that was meant is no name that anybody knows.
  return at === '' || path.basename(at).startsWith('.berth-') ? said : `${at}: ${said}`;
}

export const listItemsMax = 20_000;
const readBytes = 256 * 1024;

export interface Meta {
  sizeBytes: number;
  modifiedAtMs: number;
  etag: string;
}
export interface Upload {
  write(bytes: Buffer): Promise<void>;
  /** All has come: the file appears whole, or not at all. */
  finish(): Promise<{ etag: string }>;
  abort(): Promise<void>;
}

/**
 * Files below the workspace. Every path is resolved first and must stay inside, links included. This guards a person's request from
 * a link that the agent laid; it is not what keeps the agent in: that is the sandbox, and agentd has no right that the agent lacks.
 */
export function createFiles(options: { root: string; publicRoot: string }) {
  const { publicRoot } = options;

  async function rootPath(): Promise<string> {
    return realpath(options.root);
  }
  async function placed(requested: string): Promise<{ root: string; at: string }> {
    const normal = path.posix.normalize(requested);
    if (normal !== publicRoot && !normal.startsWith(`${publicRoot}/`))
      throw new FileProblem('outside-workspace', `${requested} is outside ${publicRoot}`);
    const root = await rootPath();
    return { root, at: path.join(root, normal.slice(publicRoot.length)) };
  }
  const within = (root: string, at: string): boolean => at === root || at.startsWith(`${root}/`);
  function mustBeWithin(root: string, at: string, requested: string): string {
    if (within(root, at)) return at;
    throw new FileProblem('outside-workspace', `${requested} leads outside ${publicRoot}`);
  }
  async function existing(requested: string): Promise<string> {
    const { root, at } = await placed(requested);
    return mustBeWithin(root, await realpath(at), requested);
  }

  /** Where a file would stand: its folder is resolved, and the file too when it is a link. */
  async function target(requested: string): Promise<string> {
    const { root, at } = await placed(requested);
    if (at === root) throw new FileProblem('not-a-file', `${requested} is a folder`);
    const folder = mustBeWithin(root, await realpath(path.dirname(at)), requested);
    const own = path.join(folder, path.basename(at));
    const found = await lstat(own).catch(() => null);
    if (found === null || !found.isSymbolicLink()) return own;
    return mustBeWithin(root, await realpath(own), requested);
  }

  async function metaOf(at: string): Promise<Meta & { mode: number; file: boolean }> {
    const found = await stat(at, { bigint: true });
    const stamp = [found.size, found.mtimeNs, found.ino].map((n) => n.toString(36)).join('-');
    return {
      sizeBytes: Number(found.size),
      modifiedAtMs: Number(found.mtimeNs / 1_000_000n),
      etag: `"${stamp}"`,
      mode: Number(found.mode) & 0o777,
      file: found.isFile(),
    };
  }

  return {
    async list(requested: string): Promise<Extract<AgentdReply, { op: 'list' }>['items']> {
      const at = await existing(requested);
      const items: Extract<AgentdReply, { op: 'list' }>['items'] = [];
      for await (const entry of await opendir(at)) {
        const found = await lstat(path.join(at, entry.name)).catch(() => null);
        if (found === null) continue; // removed meanwhile
        const type = found.isFile()
          ? 'file'
          : found.isDirectory()
            ? 'directory'
            : found.isSymbolicLink()
              ? 'link'
              : 'other';
        items.push({
          name: entry.name,
          type,
          sizeBytes: found.size,
          modifiedAtMs: Math.trunc(found.mtimeMs),
        });
        if (items.length === listItemsMax) break;
      }
      return items.sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async read(requested: string): Promise<{ meta: Meta; chunks: AsyncGenerator<Buffer> }> {
      const at = await existing(requested);
      // Not blocking: a pipe in the workspace must not hold agentd for ever.
      const file = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const {
        file: isFile,
        sizeBytes,
        modifiedAtMs,
        etag,
      } = await metaOf(at).catch(async (error: unknown) => {
        await file.close();
        throw error;
      });
      if (!isFile) {
        await file.close();
        throw new FileProblem('not-a-file', `${requested} is not a file`);
      }
      async function* chunks(): AsyncGenerator<Buffer> {
        try {
          for (;;) {
            const { bytesRead, buffer } = await file.read(
              Buffer.allocUnsafe(readBytes),
              0,
              readBytes,
            );
            if (bytesRead === 0) return;
            yield buffer.subarray(0, bytesRead);
          }
        } finally {
          await file.close();
        }
      }
      return { meta: { sizeBytes, modifiedAtMs, etag }, chunks: chunks() };
    },

    async write(requested: string, mode?: number, ifMatch?: string): Promise<Upload> {
      const at = await target(requested);
      const before = await metaOf(at).catch(() => null);
      if (before !== null && !before.file)
        throw new FileProblem('not-a-file', `${requested} is not a file`);
      const mustMatch = async (): Promise<void> => {
        if (ifMatch === undefined) return;
        const now = await metaOf(at).catch(() => null);
        if (now === null || (ifMatch !== '*' && now.etag !== ifMatch))
          throw new FileProblem('version-stale', `${requested} has changed`);
      };
      await mustMatch();
      const beside = path.join(path.dirname(at), `.berth-${randomBytes(8).toString('hex')}.part`);
      const file = await open(beside, 'wx', 0o600);
      const abort = async (): Promise<void> => {
        await file.close();
        await unlink(beside).catch(() => undefined);
      };
      return {
        async write(bytes) {
          for (let done = 0; done < bytes.length;)
            done += (await file.write(bytes, done)).bytesWritten;
        },
        async finish() {
          try {
            await file.chmod(mode ?? before?.mode ?? 0o644);
            await file.sync();
            await mustMatch();
            await rename(beside, at);
            return { etag: (await metaOf(at)).etag };
          } catch (error) {
            await unlink(beside).catch(() => undefined);
            throw error;
          } finally {
            await file.close();
          }
        },
        abort,
      };
    },

    /** With all folders above it that are missing. */
    async mkdir(requested: string): Promise<void> {
      const { root, at } = await placed(requested);
      let above = at;
      while (within(root, above) && (await lstat(above).catch(() => null)) === null)
        above = path.dirname(above);
      mustBeWithin(root, await realpath(above), requested);
      await mkdir(at, { recursive: true });
    },
  };
}
export type Files = ReturnType<typeof createFiles>;
