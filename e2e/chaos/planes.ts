import { mkdtemp, rm } from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { launch } from '../support/launch.ts';

/** One process of the control plane, as whoever supervises it sees it. */
export interface Plane {
  readonly url: string;
  readonly pid: number;
  kill(): Promise<void>;
  /** Starts again on the same data and port. */
  start(): Promise<void>;
}
/** As the database knows their connections. */
export const planeNames = ['first', 'second'] as const;
export type PlaneName = (typeof planeNames)[number];

/** The second control plane on a database: it serves people and runners, and makes no sandboxes. */
export async function startSecond(
  env: Readonly<Record<string, string>>,
): Promise<Plane & AsyncDisposable & { log(): string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-chaos-second-'));
  let child: ChildProcess | undefined;
  let written = '';
  let url = '';
  async function start(): Promise<void> {
    const launched = launch({
      dataDir,
      env: { ...env, BERTH_ROLES: 'web', PORT: url === '' ? '0' : new URL(url).port },
      heard: (text) => (written += text),
      written: () => written,
    });
    child = launched.child;
    url = await launched.ready;
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const last = child;
    if (last === undefined || last.exitCode !== null || last.signalCode !== null) return;
    const gone = once(last, 'exit');
    last.kill(signal);
    await gone;
  }
  await start();
  return {
    get url() {
      return url;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    log: () => written,
    kill: () => end('SIGKILL'),
    start,
    async [Symbol.asyncDispose]() {
      await end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Whose the runner's link is, as the database says; null: nobody's that is one of these. */
export async function holderOf(sql: pg.Client, planes: readonly Plane[]): Promise<Plane | null> {
  const { rows } = await sql.query<{ url: string }>(
    'select p.url from runner r join replica p on p.id = r.replica_id',
  );
  return planes.find(({ url }) => rows.some((row) => row.url === url)) ?? null;
}
