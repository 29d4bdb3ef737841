import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { agentdBundle } from '../../../../harnesses/agentd/testing/start.ts';
import {
  testRunner,
  usualPorts,
  type TestRunner,
} from '../../../../harnesses/agentd/testing/runner.ts';
import { systemClock } from '../../clock.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../driver.ts';
import { createLocalDriver, type LocalDriverOptions } from '../local/local.ts';

export const isRoot = process.getuid?.() === 0;
export const nodeDir = path.dirname(path.dirname(process.execPath));

/** A local driver in folders of its own, and what a test needs to look inside and outside of its sandboxes. */
export async function localWorld(more: Partial<LocalDriverOptions> = {}) {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'berth-data-'));
  const outer = isRoot ? '/var/lib/berth' : tmpdir();
  mkdirSync(outer, { recursive: true, mode: 0o711 });
  const stateRoot = mkdtempSync(path.join(outer, 't-'));
  const options: LocalDriverOptions = {
    dataDir,
    agentdDir: await agentdBundle(),
    nodeDir,
    clock: systemClock,
    logger: pino({ level: 'silent' }),
    stateRoot: path.join(stateRoot, 's'),
    ...more,
  };
  if (isRoot) {
    const { chmodSync } = await import('node:fs');
    chmodSync(stateRoot, 0o711);
  }
  const driver = createLocalDriver(options);
  let count = 0;
  const record = (sessionId: string): Record<string, unknown> =>
    JSON.parse(
      readFileSync(path.join(dataDir, 'sandboxes', `${sessionId}.json`), 'utf8'),
    ) as Record<string, unknown>;
  const folderOf = (sandbox: Sandbox): string => String(record(sandbox.sessionId)['folder']);
  return {
    driver,
    options,
    record,
    folderOf,
    /** As the kernel sees it from outside. */
    initPid: (sandbox: Sandbox): number =>
      (record(sandbox.sessionId)['init'] as { pid: number }).pid,
    spec: (own: Partial<SandboxSpec> = {}): SandboxSpec => ({
      sessionId: `s${String(++count)}`,
      generation: 1,
      env: {},
      agents: [],
      limits: {},
      ...own,
    }),
    again: (): SandboxDriver => createLocalDriver(options),
    async dispose(): Promise<void> {
      const signal = AbortSignal.timeout(30_000);
      for (const sandbox of await driver.list(signal))
        await driver.remove(sandbox.sessionId, signal);
      rmSync(dataDir, { recursive: true, force: true });
      rmSync(stateRoot, { recursive: true, force: true });
    },
  };
}
export type LocalWorld = Awaited<ReturnType<typeof localWorld>>;

export interface Inside {
  readonly runner: TestRunner;
  /** Runs a shell script inside and gives what it wrote, both streams. */
  sh(script: string, timeoutMs?: number): Promise<string>;
}
export async function enter(sandbox: Sandbox): Promise<Inside> {
  if (!sandbox.door)
    throw new Error(`${sandbox.state}: ${sandbox.reason ?? ''} ${sandbox.logs?.join('\n') ?? ''}`);
  const runner = await testRunner({
    socketDir: sandbox.door.socketDir,
    owner: sandbox.door,
    ports: usualPorts,
  });
  await runner.hello;
  let id = 1000;
  return {
    runner,
    async sh(script, timeoutMs = 20_000) {
      const asked = ++id;
      runner.request(asked, {
        op: 'run',
        argv: ['sh', '-c', script],
        env: {},
        limitBytes: 1_000_000,
        timeoutMs,
      });
      const done = await runner.reply(asked, 'done');
      return done.stdout + done.stderr;
    },
  };
}
export const disk = (world: LocalWorld) => ({
  write: async (sandbox: Sandbox, name: string, text: string): Promise<void> =>
    writeFileSync(path.join(world.folderOf(sandbox), 'w', name), text),
  read: async (sandbox: Sandbox, name: string): Promise<string | null> => {
    try {
      return readFileSync(path.join(world.folderOf(sandbox), 'w', name), 'utf8');
    } catch {
      return null;
    }
  },
});
