/**
 * POST /sessions with a prompt → the first text of the model at a channel reader, with every agent that needs a model, in a local sandbox, its
 * model a scripted one behind Berth's gateway. Beside it, taking turns in the same run: the same walls and the same agent started bare, spoken to over ACP,
 * its model asked directly; and `opencode serve` and OpenHands agent-server, without any walls, each from the start of its process and once more when it
 * is up. OpenHands is an agent of its own: it takes its turns beside opencode.
 *
 *   node bench/agents.ts [--n=8] [--only=opencode,codex]
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { Event } from '@berth/contract';
import { fill, type HarnessRecord } from '@berth/contract/harness';
import { openChannels } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { createHarnesses } from '../control-plane/src/agents/index.ts';
import { systemClock } from '../control-plane/src/clock.ts';
import { sandboxEnvironment } from '../control-plane/src/sandboxes/local/environment.ts';
import { inside } from '../control-plane/src/sandboxes/local/places.ts';
import { publish } from '../control-plane/src/sandboxes/local/reachable.ts';
import { dataDirWithHarnesses } from '../e2e/support/agent-data.ts';
import { startBerth } from '../e2e/support/berth.ts';
import { startModelServer } from '../e2e/support/model-server.ts';
import { bareFirstText, type BareLaunch } from './support/bare-agent.ts';
import { dist, ensureBuilt, root } from './support/built.ts';
import { startOpencodeServe } from './support/opencode-serve.ts';
import { ensureOpenhands, startOpenhandsServer } from './support/openhands-server.ts';
import { option, report, type Row } from './support/report.ts';
import { summary, type Summary } from './support/stats.ts';

const n = option('n', 8);
const limitMs = 60_000;
const prompt = 'hello';
/** What the scripted model says first; Codex says something of its own before. */
const answers = (text: string): boolean => text.trimStart().startsWith('You');

ensureBuilt();
const bwrap = execFileSync('/bin/sh', ['-c', 'command -v bwrap']).toString().trim();
await using model = await startModelServer();
const { dataDir, env } = await dataDirWithHarnesses();
const harnesses = createHarnesses({
  harnessesDir: `${root}/harnesses`,
  dataDir,
  distDir: dist(),
  nodeDir: dirname(dirname(process.execPath)),
  clock: systemClock,
  logger: { info: () => undefined, error: console.error },
});
await using berth = await startBerth({
  dataDir,
  env: { ...env, LOG_LEVEL: 'warn', LITELLM_GATEWAY_URL: model.url, LITELLM_API_KEY: 'sk-bench' },
});
const channels = openChannels({ client: berth.client, connect: connectNode });
await new Promise<void>((done) => {
  channels.onState(({ kind }) => {
    if (kind === 'connected') done();
  });
});

function bareLaunch(record: HarnessRecord): BareLaunch {
  const home = '/home/agent';
  const values = {
    model: 'scripted',
    modelUrl: model.url,
    workspace: inside.workspace,
    home,
    agents: `${inside.agents}/${record.id}`,
    node: `${inside.node}/bin/node`,
    mode: 'auto',
    acpMode: record.modes['auto']?.acpMode ?? 'auto',
    instructions: '',
    agentSessionId: '',
    'secret:server': randomUUID(),
  };
  return {
    name: record.id,
    argv: record.acp.argv.map((word) => fill(word, values)),
    env: Object.fromEntries(
      Object.entries({ ...record.env, ...record.acp.env }).map(([name, value]) => [
        name,
        fill(value, values),
      ]),
    ),
    files: record.files.map(({ path, content }) => ({
      path: fill(path, values).slice(home.length + 1),
      content: fill(content, values),
    })),
    sharedNetwork: true,
    answers,
  };
}

async function throughBerth(agentId: string): Promise<number> {
  const startedAt = performance.now();
  const session = await berth.client.sessions.create({
    agentId,
    prompt: [{ type: 'text', text: prompt }],
    turnId: randomUUID(),
  });
  const text = Promise.withResolvers<number>();
  const stop = channels.session(
    session.id,
    { after: 0 },
    {
      events: (batch: Event[]) => {
        const ms = performance.now() - startedAt;
        if (batch.some((event) => event.kind === 'message.delta' && answers(event.payload.text)))
          text.resolve(ms);
      },
    },
  );
  const timer = setTimeout(() => text.reject(new Error(`no text\n${berth.log()}`)), limitMs);
  const firstTextMs = await text.promise;
  clearTimeout(timer);
  stop();
  await berth.client.sessions.remove(session.id);
  return firstTextMs;
}

/** What serves conversations without any sandbox. */
interface Peer {
  readonly name: string;
  start(): Promise<Server>;
  readonly coldMs: number[];
  readonly warmMs: number[];
}
type Server = AsyncDisposable & {
  readonly readyMs: number;
  firstText(prompt: string, answers: (text: string) => boolean): Promise<number>;
};

/** Cold, as a session of Berth begins, and a second conversation of the same server. */
async function throughPeer(peer: Peer) {
  await using server = await peer.start();
  const first = await server.firstText(prompt, answers);
  const coldMs = server.readyMs + first;
  return { coldMs, warmMs: await server.firstText(prompt, answers) };
}

const withoutWalls = (env: Record<string, string>): Record<string, string> => ({
  ...sandboxEnvironment(env, {}),
  PATH: process.env['PATH'] ?? '',
});

function peersOf(id: string, record: HarnessRecord, hostPath: string): Peer[] {
  if (id !== 'opencode') return [];
  const found: Peer[] = [
    {
      name: 'opencode serve',
      start: () =>
        startOpencodeServe({
          binary: `${hostPath}/bin/opencode`,
          env: withoutWalls({ ...bareLaunch(record).env, OPENCODE_SERVER_PASSWORD: '' }),
        }),
      coldMs: [],
      warmMs: [],
    },
  ];
  const openhands = ensureOpenhands();
  if ('missing' in openhands)
    console.error(`OpenHands agent-server is left out: ${openhands.missing}`);
  else
    found.push({
      name: 'OpenHands agent-server',
      start: () =>
        startOpenhandsServer({
          program: openhands.program,
          env: withoutWalls({}),
          modelUrl: `${model.url}/v1`,
          model: 'scripted',
        }),
      coldMs: [],
      warmMs: [],
    });
  return found;
}

const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length);
const isWanted = ({ id, needsModel }: { id: string; needsModel: boolean }): boolean =>
  needsModel && (only === undefined || only.split(',').includes(id));

const rows: Row[] = [];
const more: Record<string, Record<string, Summary>> = {};
for (const { id } of (await harnesses.list()).filter(isWanted)) {
  const record = harnesses.record(id);
  const prepared = await harnesses.prepare(id, async () => undefined, AbortSignal.timeout(300_000));
  const agentDir = publish(prepared.hostPath, '/var/lib/berth/s/opt');
  const agent = await berth.client.agents.create({
    name: id,
    harness: id,
    model: 'scripted',
    mode: 'auto',
  });
  const bare: number[] = [];
  const whole: number[] = [];
  const peers = peersOf(id, record, prepared.hostPath);
  for (let round = -1; round < n; round++) {
    const launch = bareLaunch(record);
    const alone = await bareFirstText({
      bwrap,
      agentDir,
      agentdDir: dist('agentd'),
      prompt,
      launch,
    });
    const through = await throughBerth(agent.id);
    for (const peer of peers) {
      const { coldMs, warmMs } = await throughPeer(peer);
      if (round < 0) continue;
      peer.coldMs.push(coldMs);
      peer.warmMs.push(warmMs);
    }
    if (round < 0) continue; // warms the page cache
    bare.push(alone.firstTextMs);
    whole.push(through);
    console.error(
      `${id} ${String(round + 1)}/${String(n)}: ${(through / alone.firstTextMs).toFixed(2)} × bare`,
    );
  }
  const ratio = summary(whole.map((ms, index) => ms / (bare[index] ?? NaN)));
  rows.push(
    { what: `${id}: POST /sessions → first text, p50`, measured: summary(whole).p50, unit: 'ms' },
    { what: `${id}: bare bubblewrap + agent, p50`, measured: summary(bare).p50, unit: 'ms' },
    {
      what: `${id}: Berth / bare`,
      measured: summary(whole).p50 / summary(bare).p50,
      unit: '×',
      target: { atMost: 1.3 },
    },
  );
  more[id] = { berth: summary(whole), bare: summary(bare), ratio };
  for (const { name, coldMs, warmMs } of peers) {
    const [cold, warm] = [summary(coldMs), summary(warmMs)];
    rows.push(
      {
        what: `${name}, without a sandbox: its start → first text, p50`,
        measured: cold.p50,
        unit: 'ms',
      },
      { what: `${name}, up: new session → first text, p50`, measured: warm.p50, unit: 'ms' },
      {
        what: `Berth with ${id} / ${name}`,
        measured: summary(whole).p50 / cold.p50,
        unit: '×',
      },
    );
    more[name] = { cold, warm };
  }
}
channels.close();
report('agents', rows, more);
