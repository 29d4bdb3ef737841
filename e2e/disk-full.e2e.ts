import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startBerth, until } from './support/berth.ts';
import { autoAgent, replay, say, text } from './support/talk.ts';

const sizeMb = 400;
/** A disk of its own, so small that it can be filled; only root can have one. */
function smallDisk(): { folder: string; fill(): void; free(): void; unmount(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'berth-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeMb)}m`, 'none', folder]);
  mkdirSync(join(folder, 'data'));
  const filler = join(folder, 'filler');
  return {
    folder,
    fill() {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(bavail * bsize));
    },
    free: () => truncateSync(filler, 0),
    unmount() {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test.skipIf(process.getuid?.() !== 0)(
  'a disk that is full under everything: said in one sentence, nothing acknowledged is lost, and it goes on when there is room',
  async () => {
    const disk = smallDisk();
    try {
      await using berth = await startBerth({ dataDir: join(disk.folder, 'data') });
      const session = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
      expect((await say(berth, session.id, '/say before')).reply).toBe('before');
      disk.fill();
      const kept: string[] = [];
      const refusals: { code: unknown; message: string }[] = [];
      const words = 'x'.repeat(50_000);
      for (let n = 0; n < 60 && refusals.length < 3; n++) {
        const id = randomUUID();
        await berth.client.turns
          .create(
            session.id,
            { id, prompt: text(`/say ${String(n)}\n/think ${words}`) },
            { signal: AbortSignal.timeout(60_000) },
          )
          .then(
            () => kept.push(id),
            (error: unknown) => {
              const { code, message } = error as { code: unknown; message: string };
              refusals.push({ code, message });
            },
          );
      }
      expect(refusals.length).toBe(3);
      // In words, each time.
      for (const { code, message } of refusals) {
        expect(code).toBe('not-ready');
        expect(message).toMatch(/disk .*is full/);
      }
      disk.free();
      await until(
        async () => {
          const turns = await Promise.all(
            kept.map((id) => berth.client.turns.get(session.id, id).catch(() => undefined)),
          );
          return turns.every((turn) => turn?.state === 'done');
        },
        120_000,
        'everything that was taken is done',
      );
      expect((await say(berth, session.id, '/say after', 90)).reply).toBe('after');
      const events = await replay(berth, session.id);
      const started = events.flatMap((event) =>
        event.kind === 'turn.started' ? [event.payload.turnId] : [],
      );
      expect(new Set(started).size).toBe(started.length);
      for (const id of kept) expect(started).toContain(id);
    } finally {
      disk.unmount();
    }
  },
);
