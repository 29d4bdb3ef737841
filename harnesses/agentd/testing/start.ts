import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { bundleAgentd } from '../bundle.mjs';

const made: string[] = [];
afterAll(() => {
  for (const outdir of made.splice(0)) rmSync(outdir, { recursive: true, force: true });
  bundled = undefined;
});
let bundled: Promise<string> | undefined;
/** The bundle as it is shipped, made once for each test file and removed after it. */
export function agentdBundle(): Promise<string> {
  bundled ??= (async () => {
    const outdir = mkdtempSync(path.join(tmpdir(), 'berth-agentd-'));
    await bundleAgentd({ outdir });
    made.push(outdir);
    return outdir;
  })();
  return bundled;
}

const endMs = 5_000;

export interface TestAgentd extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly socketDir: string;
  readonly workspace: string;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

/** agentd without a sandbox: what it does needs none. `before`: what it finds. */
export async function startAgentd(
  before: (places: { socketDir: string; workspace: string }) => void = () => undefined,
): Promise<TestAgentd> {
  const outdir = await agentdBundle();
  const base = mkdtempSync(path.join(tmpdir(), 'berth-box-'));
  const [socketDir, workspace] = [path.join(base, 'run'), path.join(base, 'w')];
  mkdirSync(socketDir);
  mkdirSync(workspace);
  before({ socketDir, workspace });
  const child = spawn(process.execPath, [path.join(outdir, 'agentd.cjs')], {
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: base,
      BERTH_RUN: socketDir,
      BERTH_WORKSPACE: workspace,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    process: child,
    socketDir,
    workspace,
    log: () => log,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      const late = await Promise.race([ended, setTimeout(endMs, 'late')]);
      if (late === 'late') child.kill('SIGKILL');
      rmSync(base, { recursive: true, force: true });
      if (late === 'late') throw new Error(`agentd did not end on SIGTERM; its log:\n${log}`);
    },
  };
}
