import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import type { Sandbox, SandboxDriver, SandboxSpec } from './driver.ts';

/** What a suite needs beside the driver: how to look inside, and how to make a sandbox die. */
export interface DriverUnderTest {
  driver: SandboxDriver;
  /** Puts a file into the workspace, and reads it back. Absent: nothing can be kept there. */
  disk?: {
    write(sandbox: Sandbox, name: string, text: string): Promise<void>;
    read(sandbox: Sandbox, name: string): Promise<string | null>;
  };
  /** Ends it from outside, as the kernel or an operator would. */
  kill: (sandbox: Sandbox) => Promise<void>;
  spec?: Partial<SandboxSpec>;
}

/** Every driver passes this, unchanged. */
export function driverConformance(name: string, make: () => Promise<DriverUnderTest>): void {
  describe(`${name} as a sandbox driver`, () => {
    const made = make();
    const used = new Set<string>();
    const signal = (): AbortSignal => AbortSignal.timeout(60_000);
    const specOf = (own: Partial<SandboxSpec>, more: Partial<SandboxSpec> = {}): SandboxSpec => {
      const spec: SandboxSpec = {
        sessionId: randomUUID(),
        generation: 1,
        env: {},
        agents: [],
        limits: {},
        ...own,
        ...more,
      };
      used.add(spec.sessionId);
      return spec;
    };
    afterAll(async () => {
      const { driver } = await made;
      for (const sessionId of used) await driver.remove(sessionId, signal());
      expect((await driver.list(signal())).filter((found) => used.has(found.sessionId))).toEqual(
        [],
      );
    });

    test('can make sandboxes here', async () => {
      const { driver } = await made;
      expect((await driver.probe(signal())).refusal).toBeUndefined();
    });

    test('knows nothing of a session that it has not seen', async () => {
      const { driver } = await made;
      const sessionId = randomUUID();
      expect(await driver.get(sessionId, signal())).toBeNull();
      expect(await driver.logs(sessionId, 10)).toEqual([]);
      await driver.remove(sessionId, signal());
      await expect(driver.suspend(sessionId, signal())).rejects.toThrow(sessionId);
    });

    test('ensure makes it once: the second finds the first', async () => {
      const { driver, spec: own } = await made;
      const spec = specOf(own ?? {});
      const first = await driver.ensure(spec, signal());
      expect(first).toMatchObject({ state: 'running', generation: 1, sessionId: spec.sessionId });
      expect(first.door).toBeDefined();
      expect(await driver.ensure(spec, signal())).toEqual(first);
      expect(await driver.get(spec.sessionId, signal())).toEqual(first);
      expect(await driver.list(signal())).toContainEqual(first);
    });

    test('two at the same moment make one', async () => {
      const { driver, spec: own } = await made;
      const spec = specOf(own ?? {});
      const [one, two] = await Promise.all([
        driver.ensure(spec, signal()),
        driver.ensure(spec, signal()),
      ]);
      expect(one).toEqual(two);
    });

    test('a higher generation replaces the processes and keeps the disk; a lower one changes nothing', async () => {
      const { driver, disk, spec: own } = await made;
      const spec = specOf(own ?? {});
      const first = await driver.ensure(spec, signal());
      await disk?.write(first, 'kept', 'text');
      const second = await driver.ensure({ ...spec, generation: 2 }, signal());
      expect(second).toMatchObject({ state: 'running', generation: 2 });
      if (disk) expect(await disk.read(second, 'kept')).toBe('text');
      expect(await driver.ensure(spec, signal())).toEqual(second);
    });

    test('suspend ends the processes and keeps the disk; ensure wakes it', async () => {
      const { driver, disk, spec: own } = await made;
      const spec = specOf(own ?? {});
      const up = await driver.ensure(spec, signal());
      await disk?.write(up, 'kept', 'over night');
      const down = await driver.suspend(spec.sessionId, signal());
      expect(down).toMatchObject({ state: 'suspended' });
      expect(down.door).toBeUndefined();
      expect(await driver.suspend(spec.sessionId, signal())).toEqual(down);
      const woken = await driver.ensure(spec, signal());
      expect(woken.state).toBe('running');
      if (disk) expect(await disk.read(woken, 'kept')).toBe('over night');
    });

    test('remove leaves nothing, and may be repeated', async () => {
      const { driver, disk, spec: own } = await made;
      const spec = specOf(own ?? {});
      const up = await driver.ensure(spec, signal());
      await disk?.write(up, 'secret', 'of the old one');
      await driver.remove(spec.sessionId, signal());
      await driver.remove(spec.sessionId, signal());
      expect(await driver.get(spec.sessionId, signal())).toBeNull();
      const again = await driver.ensure(spec, signal());
      if (disk) expect(await disk.read(again, 'secret')).toBeNull();
    });

    test('a death that nobody asked for is told within a second, with a reason; ensure makes it again', async () => {
      const { driver, kill, disk, spec: own } = await made;
      const spec = specOf(own ?? {});
      const up = await driver.ensure(spec, signal());
      await disk?.write(up, 'kept', 'through death');
      const watching = new AbortController();
      const told = firstOf(driver.watch(watching.signal), spec.sessionId);
      await new Promise((resolve) => setTimeout(resolve, 50));
      const at = performance.now();
      await kill(up);
      const death = await told;
      expect(performance.now() - at).toBeLessThan(1000);
      watching.abort();
      expect(death.state).toBe('gone');
      expect(death.reason).toEqual(expect.stringMatching(/\w/));
      expect(await driver.get(spec.sessionId, signal())).toMatchObject({ state: 'gone' });
      const again = await driver.ensure(spec, signal());
      expect(again.state).toBe('running');
      if (disk) expect(await disk.read(again, 'kept')).toBe('through death');
    });

    test('what was asked for is not told as a death', async () => {
      const { driver, kill, spec: own } = await made;
      const [quiet, loud] = [specOf(own ?? {}), specOf(own ?? {})];
      const watching = new AbortController();
      const told = firstOf(driver.watch(watching.signal));
      await driver.ensure(quiet, signal());
      await driver.suspend(quiet.sessionId, signal());
      await driver.remove(quiet.sessionId, signal());
      await kill(await driver.ensure(loud, signal()));
      expect((await told).sessionId).toBe(loud.sessionId);
      watching.abort();
    });

    test('a watch ends with its signal', async () => {
      const { driver } = await made;
      const watching = new AbortController();
      const all = Array.fromAsync(driver.watch(watching.signal));
      watching.abort();
      expect(await all).toEqual([]);
    });

    test('an aborted start leaves nothing running', async () => {
      const { driver, spec: own } = await made;
      const spec = specOf(own ?? {});
      await expect(driver.ensure(spec, AbortSignal.abort())).rejects.toThrow();
      expect((await driver.get(spec.sessionId, signal()))?.state).not.toBe('running');
    });
  });
}

async function firstOf(stream: AsyncIterable<Sandbox>, sessionId?: string): Promise<Sandbox> {
  for await (const sandbox of stream)
    if (sessionId === undefined || sandbox.sessionId === sessionId) return sandbox;
  throw new Error('the watch ended before it told');
}
