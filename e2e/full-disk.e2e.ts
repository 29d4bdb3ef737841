import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBerth, until, type Berth } from './support/berth.ts';
import { autoAgent, idle, replay, say, text } from './support/talk.ts';

/*
 * The disk under the journals fills: one clear sentence where the person looks, nothing lost, and work goes on when there is room. On a small file
 * system of its own, which only root can make.
 */
const canMount = ((): boolean => {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return false;
  const probe = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']);
  return probe.status === 0;
})();
if (!canMount) console.error('full-disk.e2e: left out: no file system can be mounted here');

describe.skipIf(!canMount)('a full disk', () => {
  let dataDir: string;
  let mounted: string[];
  let berth: Berth | undefined;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'berth-e2e-disk-'));
    mounted = [];
  });
  afterEach(async () => {
    for (const at of mounted) await rm(join(at, 'ballast'), { force: true });
    try {
      if (berth !== undefined) await berth[Symbol.asyncDispose]();
    } catch (error) {
      // A mount point cannot be removed; what is below it is.
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    }
    berth = undefined;
    for (const at of mounted) execFileSync('umount', ['-l', at]);
    await rm(dataDir, { recursive: true, force: true });
  });
  async function mount(at: string, megabytes: number): Promise<void> {
    await mkdir(at, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m,mode=711`, 'none', at]);
    mounted.push(at);
  }
  /** To the last byte. */
  async function fill(at: string): Promise<void> {
    const file = await open(join(at, 'ballast'), 'a');
    const block = Buffer.alloc(64 * 1024);
    try {
      for (let size = block.length; size >= 512;) {
        try {
          await file.write(block.subarray(0, size));
        } catch {
          size /= 2;
        }
      }
    } finally {
      await file.close();
    }
    expect((await statfs(at)).bavail).toBe(0);
  }
  const ready = async (): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${berth?.url ?? ''}/readyz`);
    return { status: answer.status, text: await answer.text() };
  };

  test('under the journals: the session says so, and not a word is missing afterwards', async () => {
    const runner = join(dataDir, 'runner');
    await mount(runner, 32);
    berth = await startBerth({ dataDir });
    const mine = berth;
    const session = await mine.client.sessions.create({ agentId: (await autoAgent(mine)).id });
    await idle(mine, session.id);
    const id = randomUUID();
    await mine.client.turns.create(session.id, { id, prompt: text('/stream 200 40') });
    await until(
      async () => (await replay(mine, session.id)).some(({ kind }) => kind === 'message.delta'),
      20_000,
      'the first words',
    );
    await fill(runner);
    const said = async (code: string) =>
      (await replay(mine, session.id)).flatMap((event) =>
        event.kind === 'notice' && event.payload.code === code ? [event.payload.text] : [],
      );
    await until(async () => (await said('disk-full')).length > 0, 20_000, 'the sentence');
    expect(await said('disk-full')).toEqual([
      `The disk that holds ${runner} is full. Nothing is lost; work goes on when there is room again.`,
    ]);
    expect(await ready()).toMatchObject({
      status: 503,
      text: expect.stringContaining(runner) as string,
    });
    expect((await mine.client.turns.get(session.id, id)).endedAt).toBeUndefined();
    await rm(join(runner, 'ballast'));
    const turn = await mine.client.turns.get(session.id, id, { waitSeconds: 60 });
    expect(turn.state).toBe('done');
    expect(turn.reply?.split(/\s+/)).toEqual(
      Array.from({ length: 200 }, (_none, n) => `w${String(n + 1)}`),
    );
    await until(
      async () => (await said('disk-free')).length === 1,
      20_000,
      'the word that it is over',
    );
    expect((await say(mine, session.id, '/say well')).reply).toBe('well');
    await until(async () => (await ready()).status === 200, 10_000, 'ready again');
  });
});
