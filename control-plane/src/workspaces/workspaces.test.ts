import type { Session } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { StreamPurpose } from '@berth/contract/link';
import { expect, test } from 'vitest';
import { mustActIn, type Actor } from '../identity/index.ts';
import type { RunnerStream } from '../runners/index.ts';
import type { RunnerPort } from '../sessions/index.ts';
import { createWorkspaces } from './workspaces.ts';

const actor: Actor = { userId: 'u', userName: 'Ada', teamId: 't', role: 'owner', scopes: ['*'] };
type Frame =
  | { kind: 'meta'; meta: Record<string, unknown> }
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'fail'; error: Error };
const bytes = (text: string): Frame => ({ kind: 'bytes', bytes: Buffer.from(text) });
const meta = (value: Record<string, unknown>): Frame => ({ kind: 'meta', meta: value });

/** A runner behind its two ports: what it streams back, after how many chunks, and what it was sent. */
function stage(options: {
  answer?: Frame[];
  /** The answer comes when so much arrived; -1: after the end. */
  after?: number;
  session?: { status?: string; phase?: string };
  call?: RunnerPort['call'];
}) {
  const opened: StreamPurpose[] = [];
  const sent: string[] = [];
  let ended = false;
  let disposed = 0;
  let arrived: string[] = [];
  let go: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (go = resolve));
  const after = options.after ?? 0;
  if (after === 0) go();
  const stream: RunnerStream = {
    async send(chunk) {
      if (disposed > 0) throw new Problem('runner-unreachable', 'The runner broke off.');
      sent.push(Buffer.from(chunk).toString());
      if (sent.length === after) go();
      await new Promise((resolve) => setImmediate(resolve));
    },
    end() {
      ended = true;
      if (after === -1) go();
    },
    async *frames() {
      await ready;
      for (const frame of options.answer ?? []) {
        if (frame.kind === 'fail') throw frame.error;
        yield frame;
      }
    },
    async [Symbol.asyncDispose]() {
      disposed += 1;
    },
  };
  const get = (who: Actor, id: string): Session => {
    if (who.teamId !== 't' || id !== 's') throw new Problem('not-found', 'No such session.');
    const { status = 'idle', phase = 'ready' } = options.session ?? {};
    return { id, status, createdBy: { id: 'u', name: 'Ada' }, sandbox: { phase } } as Session;
  };
  const workspaces = createWorkspaces({
    runner: {
      call: options.call ?? (() => Promise.reject(new Error('nobody calls'))),
    },
    streams: {
      open: async (_sessionId, purpose) => {
        opened.push(purpose);
        return stream;
      },
    },
    sessions: {
      get: async (who, id) => get(who, id),
      own: async (who, id) => {
        const found = get(who, id);
        mustActIn(who, found.createdBy.id);
        return found;
      },
      archiveArrived: async (_actor, id) => {
        arrived = [...arrived, id];
      },
    },
    sandboxLogs: async (_id, tail) => [`last ${tail}`],
  });
  return {
    workspaces,
    opened,
    sent,
    get ended() {
      return ended;
    },
    get disposed() {
      return disposed;
    },
    get arrived() {
      return arrived;
    },
  };
}
async function* body(...chunks: string[]) {
  for (const chunk of chunks) yield Buffer.from(chunk);
}
async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of source) text += Buffer.from(chunk).toString();
  return text;
}
const fileMeta = { sizeBytes: 5, modifiedAtMs: 1, etag: 'e' };

test('read: what the runner says of the file, then its bytes; the stream ends with them', async () => {
  const on = stage({ answer: [meta(fileMeta), bytes('he'), bytes('llo')] });
  const file = await on.workspaces.read(actor, 's', 'src/a.ts', { rev: 'base' });
  expect(file.meta).toEqual(fileMeta);
  expect(await textOf(file.body)).toBe('hello');
  expect(on.opened).toEqual([{ kind: 'file.read', path: '/workspace/src/a.ts', rev: 'base' }]);
  expect(on.disposed).toBe(1);
});

test('read: whoever leaves early, even before the first byte, leaves no stream behind', async () => {
  const on = stage({ answer: [meta(fileMeta), bytes('he'), bytes('llo')] });
  const iterator = (await on.workspaces.read(actor, 's', 'a')).body[Symbol.asyncIterator]();
  await iterator.return?.();
  expect(on.disposed).toBe(1);
});

test('read: a refusal, and a break in the middle', async () => {
  const missing = stage({
    answer: [{ kind: 'fail', error: new Problem('not-found', 'no such file') }],
  });
  await expect(missing.workspaces.read(actor, 's', 'a')).rejects.toMatchObject({
    code: 'not-found',
  });
  expect(missing.disposed).toBe(1);
  const broken = stage({
    answer: [
      meta(fileMeta),
      bytes('he'),
      { kind: 'fail', error: new Problem('runner-unreachable', 'gone') },
    ],
  });
  const file = await broken.workspaces.read(actor, 's', 'a');
  await expect(textOf(file.body)).rejects.toMatchObject({ code: 'runner-unreachable' });
  expect(broken.disposed).toBe(1);
});

test('nothing reaches the runner for a path outside, a foreign session, a suspended one', async () => {
  const on = stage({ answer: [meta(fileMeta)] });
  await expect(on.workspaces.read(actor, 's', '../x')).rejects.toMatchObject({
    code: 'outside-workspace',
  });
  await expect(on.workspaces.read(actor, 'foreign', 'x')).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(on.workspaces.patch({ ...actor, teamId: 'other' }, 's')).rejects.toMatchObject({
    code: 'not-found',
  });
  expect(on.opened).toEqual([]);
  const asleep = stage({ session: { status: 'suspended' } });
  await expect(asleep.workspaces.changes(actor, 's')).rejects.toMatchObject({
    code: 'sandbox-not-ready',
  });
  await expect(asleep.workspaces.write(actor, 's', 'a', body('x'))).rejects.toMatchObject({
    code: 'sandbox-not-ready',
  });
});

test('write: all chunks, the end, and the new etag', async () => {
  const on = stage({ answer: [meta({ etag: 'new' })], after: -1 });
  const result = await on.workspaces.write(actor, 's', 'a', body('one', 'two'), { ifMatch: 'old' });
  expect(result).toEqual({ etag: 'new' });
  expect(on.sent).toEqual(['one', 'two']);
  expect(on.opened).toEqual([{ kind: 'file.write', path: '/workspace/a', ifMatch: 'old' }]);
  expect(on.disposed).toBe(1);
});

test('write: a refusal ends the sending', async () => {
  let pulled = 0;
  async function* endless() {
    for (;;) {
      pulled += 1;
      yield Buffer.from('x');
    }
  }
  const on = stage({
    answer: [{ kind: 'fail', error: new Problem('version-stale', 'changed meanwhile') }],
    after: 3,
  });
  await expect(on.workspaces.write(actor, 's', 'a', endless())).rejects.toMatchObject({
    code: 'version-stale',
  });
  const then = pulled;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(pulled).toBeLessThanOrEqual(then + 1);
  expect(on.ended).toBe(false);
});

test('write: a body that breaks off is not ended, so the runner keeps the old file', async () => {
  async function* cut() {
    yield Buffer.from('half');
    throw new Error('the client left');
  }
  const on = stage({ answer: [meta({ etag: 'x' })], after: -1 });
  await expect(on.workspaces.write(actor, 's', 'a', cut())).rejects.toThrow('the client left');
  expect(on.ended).toBe(false);
  expect(on.disposed).toBe(1);
});

test('archive: waits for a sandbox that is being made, then tells the session', async () => {
  let looks = 0;
  const call = (async () => {
    looks += 1;
    if (looks < 3) throw new Problem('sandbox-not-ready', 'not yet');
    return { files: [] };
  }) as unknown as RunnerPort['call'];
  const on = stage({
    answer: [meta({ files: 3 })],
    after: -1,
    call,
    session: { status: 'starting', phase: 'creating' },
  });
  await on.workspaces.archive(actor, 's', body('tar'), { overwrite: false });
  expect(looks).toBe(3);
  expect(on.arrived).toEqual(['s']);
  const failed = stage({ session: { status: 'failed', phase: 'failed' } });
  await expect(
    failed.workspaces.archive(actor, 's', body('tar'), { overwrite: false }),
  ).rejects.toMatchObject({ code: 'sandbox-not-ready' });
});

test('a member changes files only in sessions of their own', async () => {
  const on = stage({});
  const colleague = { ...actor, role: 'member' as const, userId: 'somebody else' };
  const refused = { code: 'forbidden' };
  await expect(on.workspaces.write(colleague, 's', 'a', body('x'))).rejects.toMatchObject(refused);
  await expect(
    on.workspaces.archive(colleague, 's', body('tar'), { overwrite: true }),
  ).rejects.toMatchObject(refused);
  expect(on.opened).toEqual([]);
});

test('archive: one that is refused tells nobody', async () => {
  const call = (async () => ({ files: [] })) as unknown as RunnerPort['call'];
  const on = stage({
    answer: [{ kind: 'fail', error: new Problem('workspace-not-empty', 'not empty') }],
    call,
  });
  await expect(
    on.workspaces.archive(actor, 's', body('tar'), { overwrite: false }),
  ).rejects.toMatchObject({ code: 'workspace-not-empty' });
  expect(on.arrived).toEqual([]);
});

test('patch: a refusal is an answer, an empty one is empty', async () => {
  const refused = stage({
    answer: [{ kind: 'fail', error: new Problem('sandbox-not-ready', 'no base') }],
  });
  await expect(refused.workspaces.patch(actor, 's')).rejects.toMatchObject({
    code: 'sandbox-not-ready',
  });
  expect(refused.disposed).toBe(1);
  const empty = stage({});
  expect(await textOf(await empty.workspaces.patch(actor, 's', 'a'))).toBe('');
  expect(empty.opened).toEqual([{ kind: 'changes.patch', path: '/workspace/a' }]);
  const some = stage({ answer: [bytes('diff '), bytes('--git')] });
  expect(await textOf(await some.workspaces.patch(actor, 's'))).toBe('diff --git');
});

test('list and logs', async () => {
  const items = [{ name: 'a', type: 'file', sizeBytes: 1, modifiedAtMs: 0 }];
  const call = (async (_id: string, method: string) =>
    method === 'files.list' ? { items } : { lines: ['l'] }) as unknown as RunnerPort['call'];
  const { workspaces } = stage({ call });
  expect(await workspaces.list(actor, 's', '')).toEqual({
    path: '/workspace',
    items: [{ name: 'a', type: 'file', sizeBytes: 1, modifiedAt: '1970-01-01T00:00:00.000Z' }],
  });
  expect(await workspaces.logs(actor, 's', 'agent', 5)).toEqual({ source: 'agent', lines: ['l'] });
  expect(await workspaces.logs(actor, 's', 'sandbox', 5)).toEqual({
    source: 'sandbox',
    lines: ['last 5'],
  });
});
