import type { Changes, FileList, LogLines, Session } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { StreamPurpose } from '@berth/contract/link';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod/mini';
import { timestamp } from '../clock.ts';
import type { Actor } from '../identity/index.ts';
import type { RunnerStream, RunnerStreams } from '../runners/index.ts';
import type { RunnerPort, Sessions } from '../sessions/index.ts';
import { workspacePath } from './path.ts';

export interface FileBody {
  meta: { sizeBytes: number; modifiedAtMs: number; etag: string };
  /** Read it, or end it: it holds a stream to the runner. */
  body: AsyncIterable<Uint8Array>;
}
export interface Workspaces {
  list(actor: Actor, sessionId: string, path: string): Promise<FileList>;
  read(
    actor: Actor,
    sessionId: string,
    path: string,
    options?: { rev?: 'base' },
  ): Promise<FileBody>;
  write(
    actor: Actor,
    sessionId: string,
    path: string,
    body: AsyncIterable<Uint8Array>,
    options?: { ifMatch?: string },
  ): Promise<{ etag: string }>;
  archive(
    actor: Actor,
    sessionId: string,
    body: AsyncIterable<Uint8Array>,
    options: { overwrite: boolean },
  ): Promise<void>;
  changes(actor: Actor, sessionId: string): Promise<Changes>;
  /** Everything, or one file. */
  patch(actor: Actor, sessionId: string, path?: string): Promise<AsyncIterable<Uint8Array>>;
  logs(
    actor: Actor,
    sessionId: string,
    source: LogLines['source'],
    tail: number,
  ): Promise<LogLines>;
}

const limits = {
  /** An archive waits so long for a sandbox that is being made, looking this often. */
  sandboxMs: 120_000,
  lookMs: 100,
} as const;
const readMeta = z.object({ sizeBytes: z.int(), modifiedAtMs: z.number(), etag: z.string() });
const writeMeta = z.object({ etag: z.string() });

/** The files of a session's sandbox, as its runner shows them. Nothing is kept here. */
export function createWorkspaces(options: {
  runner: Pick<RunnerPort, 'call'>;
  streams: RunnerStreams;
  sessions: Pick<Sessions, 'get' | 'own' | 'archiveArrived'>;
  /** What the sandbox's own main process wrote. */
  sandboxLogs: (sessionId: string, tail: number) => Promise<string[]>;
}): Workspaces {
  const { runner, streams, sessions } = options;

  /** Open until `body` is read to its end, fails, or is left. */
  async function opened(
    actor: Actor,
    sessionId: string,
    purpose: StreamPurpose,
  ): Promise<{ stream: RunnerStream; frames: Frames }> {
    refuseUnready(await sessions.get(actor, sessionId));
    const stream = await streams.open(sessionId, purpose, never);
    return { stream, frames: stream.frames()[Symbol.asyncIterator]() };
  }

  /** Sends all of it, at the runner's pace. A body that breaks off leaves the stream without its end, so the runner keeps nothing of it. */
  async function pour(
    sessionId: string,
    purpose: StreamPurpose,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Record<string, unknown>> {
    await using stream = await streams.open(sessionId, purpose, never);
    const answered = firstMeta(stream.frames()[Symbol.asyncIterator]());
    const sent = (async () => {
      for await (const chunk of body) await stream.send(chunk);
      stream.end();
    })();
    // A refusal comes at once; what was still to be sent is then of no use, and how its sending ends is no news.
    sent.catch(() => undefined);
    answered.catch(() => undefined);
    await Promise.race([answered, sent]);
    return await answered;
  }

  /** A session that is only being made gets its files as soon as its sandbox is there. */
  async function untilReachable(actor: Actor, sessionId: string): Promise<void> {
    const deadline = AbortSignal.timeout(limits.sandboxMs);
    for (;;) {
      refuseUnready(await sessions.own(actor, sessionId));
      try {
        await runner.call(sessionId, 'changes.list', {});
        return;
      } catch (error) {
        const code = error instanceof Problem ? error.code : undefined;
        const away = code === 'sandbox-not-ready' || code === 'runner-unreachable';
        if (!away || deadline.aborted) throw error;
      }
      await pause(limits.lookMs);
    }
  }

  return {
    async list(actor, sessionId, path) {
      const absolute = workspacePath(path);
      refuseUnready(await sessions.get(actor, sessionId));
      const { items } = await runner.call(sessionId, 'files.list', { path: absolute });
      return {
        path: absolute,
        items: items.map(({ modifiedAtMs, ...entry }) => ({
          ...entry,
          modifiedAt: timestamp(modifiedAtMs),
        })),
      };
    },

    async read(actor, sessionId, path, { rev } = {}) {
      const purpose: StreamPurpose = {
        kind: 'file.read',
        path: workspacePath(path),
        ...(rev === undefined ? {} : { rev }),
      };
      const { stream, frames } = await opened(actor, sessionId, purpose);
      try {
        const meta = z.parse(readMeta, await firstMeta(frames));
        return { meta, body: bytesOf(stream, frames) };
      } catch (error) {
        await stream[Symbol.asyncDispose]();
        throw error;
      }
    },

    async write(actor, sessionId, path, body, { ifMatch } = {}) {
      const purpose: StreamPurpose = {
        kind: 'file.write',
        path: workspacePath(path),
        ...(ifMatch === undefined ? {} : { ifMatch }),
      };
      refuseUnready(await sessions.own(actor, sessionId));
      return z.parse(writeMeta, await pour(sessionId, purpose, body));
    },

    async archive(actor, sessionId, body, { overwrite }) {
      await untilReachable(actor, sessionId);
      await pour(sessionId, { kind: 'archive.write', overwrite }, body);
      await sessions.archiveArrived(actor, sessionId);
    },

    async changes(actor, sessionId) {
      refuseUnready(await sessions.get(actor, sessionId));
      return runner.call(sessionId, 'changes.list', {});
    },

    async patch(actor, sessionId, path) {
      const purpose: StreamPurpose = {
        kind: 'changes.patch',
        ...(path === undefined ? {} : { path: workspacePath(path) }),
      };
      const { stream, frames } = await opened(actor, sessionId, purpose);
      return bytesOf(stream, frames, await firstBytes(stream, frames));
    },

    async logs(actor, sessionId, source, tail) {
      await sessions.get(actor, sessionId);
      if (source === 'sandbox')
        return { source, lines: await options.sandboxLogs(sessionId, tail) };
      const { lines } = await runner.call(sessionId, 'logs.tail', { source, tail });
      return { source, lines };
    },
  };
}

type Frames = AsyncIterator<
  { kind: 'meta'; meta: Record<string, unknown> } | { kind: 'bytes'; bytes: Uint8Array }
>;
// A stream ends by its own disposal; nobody else gives it up.
const never = new AbortController().signal;

async function firstMeta(frames: Frames): Promise<Record<string, unknown>> {
  const first = await frames.next();
  if (first.done === true || first.value.kind !== 'meta')
    throw new Problem('internal-error', 'The runner’s stream does not begin as it should.');
  return first.value.meta;
}

/** Waits for the first bytes, so that a refusal is an answer of its own and not a body that breaks off. */
async function firstBytes(stream: RunnerStream, frames: Frames): Promise<Uint8Array | null> {
  try {
    for (;;) {
      const next = await frames.next();
      if (next.done === true) return null;
      if (next.value.kind === 'bytes') return next.value.bytes;
    }
  } catch (error) {
    await stream[Symbol.asyncDispose]();
    throw error;
  }
}

/** Ends the stream with the reading, also when a reader leaves before it began. */
function bytesOf(
  stream: RunnerStream,
  frames: Frames,
  first: Uint8Array | null = null,
): AsyncIterable<Uint8Array> {
  let held = first;
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    await stream[Symbol.asyncDispose]();
    return { done: true, value: undefined };
  };
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    async next() {
      if (held !== null) {
        const value = held;
        held = null;
        return { done: false, value };
      }
      try {
        for (;;) {
          const next = await frames.next();
          if (next.done === true) return await end();
          if (next.value.kind === 'bytes') return { done: false, value: next.value.bytes };
        }
      } catch (error) {
        await end();
        throw error;
      }
    },
    return: end,
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

function refuseUnready(session: Session): void {
  const { status, sandbox } = session;
  if (status === 'suspended' || status === 'suspending')
    throw new Problem('sandbox-not-ready', 'The session is suspended: resume it first.');
  if (sandbox.phase === 'failed' || sandbox.phase === 'lost' || sandbox.phase === 'removed')
    throw new Problem('sandbox-not-ready', `The sandbox is not running (${sandbox.phase}).`);
}
