/**
 * POST /sessions with a prompt → the first agent text at a channel reader: the built product with the rehearsal agent in a local sandbox.
 * Beside it, taking turns in the same run: the same walls and the same agent started bare, spoken to over ACP.
 *
 *   node bench/first-text.ts [--n=20]
 */
import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import type { Event } from '@berth/contract';
import { openChannels } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { startBerth } from '../e2e/support/berth.ts';
import { bareFirstText } from './support/bare-agent.ts';
import { dist, ensureBuilt } from './support/built.ts';
import { option, report } from './support/report.ts';
import { median, summary } from './support/stats.ts';

const n = option('n', 20);
const prompt = '/say hello';
const limitMs = 20_000;

ensureBuilt();
const bwrap = execFileSync('/bin/sh', ['-c', 'command -v bwrap']).toString().trim();
await using berth = await startBerth({ env: { LOG_LEVEL: 'warn' } });
const agent = await berth.client.agents.create({
  name: 'bench',
  harness: 'rehearsal',
  mode: 'auto',
});
const channels = openChannels({ client: berth.client, connect: connectNode });
// As an editor: its list of sessions is open before anybody asks for a new one.
await new Promise<void>((done) => {
  channels.sessions(() => done());
});

interface Run {
  createdMs: number;
  firstTextMs: number;
  events: { kind: string; what: string; ms: number }[];
}

async function once(): Promise<Run> {
  const events: Run['events'] = [];
  const startedAt = performance.now();
  const session = await berth.client.sessions.create({
    agentId: agent.id,
    prompt: [{ type: 'text', text: prompt }],
    turnId: randomUUID(),
  });
  const createdMs = performance.now() - startedAt;
  const text = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<undefined>();
  const stop = channels.session(
    session.id,
    { after: 0 },
    {
      events: (batch: Event[]) => {
        const ms = performance.now() - startedAt;
        for (const { kind, payload } of batch) {
          const fields = payload as { phase?: string; status?: string; code?: string };
          const what = fields.phase ?? fields.status ?? fields.code ?? '';
          events.push({ kind, what, ms });
          if (kind === 'message.delta' || kind === 'message') text.resolve(ms);
          if (kind === 'turn.ended') ended.resolve(undefined);
        }
      },
    },
  );
  const timer = setTimeout(() => text.reject(new Error(`no text\n${berth.log()}`)), limitMs);
  const firstTextMs = await text.promise;
  await ended.promise;
  clearTimeout(timer);
  stop();
  await berth.client.sessions.remove(session.id);
  return { createdMs, firstTextMs, events };
}

const bare: number[] = [];
const runs: Run[] = [];
for (let round = -2; round < n; round++) {
  const alone = await bareFirstText({
    bwrap,
    agentDir: dist('rehearsal'),
    agentdDir: dist('agentd'),
    prompt,
  });
  const run = await once();
  if (round < 0) continue; // warms the page cache and the compiler
  bare.push(alone.firstTextMs);
  runs.push(run);
}
channels.close();

const whole = runs.map(({ firstTextMs }) => firstTextMs);
const steps = new Map<string, number[]>();
for (const { events } of runs)
  for (const { kind, what, ms } of events) {
    const key = `${kind} ${what}`.trim();
    steps.set(key, [...(steps.get(key) ?? []), ms]);
  }
console.log('  seen by the reader at (median ms):');
console.log(`    created ${median(runs.map(({ createdMs }) => createdMs)).toFixed(1)}`);
for (const [key, at] of steps) console.log(`    ${key} ${median(at).toFixed(1)}`);
report(
  'first-text',
  [
    {
      what: 'POST /sessions → first text, p50',
      measured: summary(whole).p50,
      unit: 'ms',
      target: { atMost: 200 },
    },
    { what: 'the same, p99', measured: summary(whole).p99, unit: 'ms' },
    { what: 'bare bubblewrap + agent, p50', measured: summary(bare).p50, unit: 'ms' },
    { what: 'the same, p99', measured: summary(bare).p99, unit: 'ms' },
    { what: 'Berth / bare', measured: summary(whole).p50 / summary(bare).p50, unit: '×' },
  ],
  { berth: summary(whole), bare: summary(bare) },
);
