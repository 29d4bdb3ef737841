/**
 * Memory of idle sessions: the built product with rehearsal agents in local sandboxes, each after one turn. PSS counts what is shared by its sharers.
 *
 *   node bench/memory.ts [--sessions=50]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { runnerPid, startBerth, until } from '../e2e/support/berth.ts';
import { ensureBuilt } from './support/built.ts';
import { cpuOf, processes, pssMbOf, type Proc } from './support/processes.ts';
import { option, report } from './support/report.ts';
import { median, summary } from './support/stats.ts';

const sessions = option('sessions', 50);
const settleMs = option('settle-seconds', 20) * 1000;
/** At a time: the machine is to make sessions, not to thrash. */
const atOnce = 4;

ensureBuilt();
await using berth = await startBerth({ env: { LOG_LEVEL: 'warn' } });
const empty = cpuOf(berth.pid).rssMb;
const agent = (await berth.client.agents.list()).items.find(
  ({ harness }) => harness === 'rehearsal',
);
if (agent === undefined) throw new Error('the ready-made agent is missing');

const ids: string[] = [];
async function makeOne(): Promise<void> {
  const { id } = await berth.client.sessions.create({
    agentId: agent?.id ?? '',
    prompt: [{ type: 'text', text: '/say hello' }],
  });
  ids.push(id);
  await until(
    async () => {
      const { status, lastSeq } = await berth.client.sessions.get(id);
      if (status === 'failed') throw new Error(berth.log().slice(-2000));
      return status === 'idle' && lastSeq > 5;
    },
    120_000,
    'an idle session',
  );
}
for (let made = 0; made < sessions; made += atOnce)
  await Promise.all(Array.from({ length: Math.min(atOnce, sessions - made) }, makeOne));
await pause(settleMs);

const all = processes();
const runner = (await runnerPid(berth.dataDir)) ?? 0;
const roots = sandboxRoots(all);
const perSession = roots.map((root) =>
  withDescendants(root, all).reduce((sum, { pid }) => sum + pssMbOf(pid), 0),
);
if (roots.length !== sessions)
  throw new Error(`${String(roots.length)} sandboxes were found, not ${String(sessions)}`);
report(
  'memory',
  [
    { what: 'sessions', measured: sessions, unit: '' },
    { what: 'control plane without sessions, RSS', measured: empty, unit: 'MB' },
    {
      what: 'control plane, RSS',
      measured: cpuOf(berth.pid).rssMb,
      unit: 'MB',
      target: { atMost: 200 },
    },
    { what: 'runner, RSS', measured: cpuOf(runner).rssMb, unit: 'MB', target: { atMost: 200 } },
    {
      what: 'a session with its agent, PSS, p50',
      measured: median(perSession),
      unit: 'MB',
      target: { atMost: 60 },
    },
    { what: 'the same, largest', measured: summary(perSession).max, unit: 'MB' },
  ],
  { perSession: summary(perSession) },
);

/** The outermost process of each sandbox, as the driver noted it. */
function sandboxRoots(found: readonly Proc[]): Proc[] {
  const folder = join(berth.dataDir, 'sandboxes');
  const pids = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as { outer?: Proc })
    .map(({ outer }) => outer?.pid);
  return found.filter(({ pid }) => pids.includes(pid));
}
function withDescendants(top: Proc, found: readonly Proc[]): Proc[] {
  const children = found.filter(({ parent }) => parent === top.pid);
  return [top, ...children.flatMap((child) => withDescendants(child, found))];
}
