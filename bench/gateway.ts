/**
 * What Berth's model route adds to a direct call of the same upstream, which answers at once: one request at a time over kept connections, taking
 * turns with the barest proxy that Node can be; and, for streams, how long a chunk travels from the upstream's write to the client.
 *
 *   node bench/gateway.ts [--n=3000] [--streams=6]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { readLinkFile } from '../control-plane/src/runners/link-file.ts';
import { startBerth } from '../e2e/support/berth.ts';
import { idle } from '../e2e/support/talk.ts';
import { ensureBuilt } from './support/built.ts';
import { option, report } from './support/report.ts';
import { summary } from './support/stats.ts';

const n = option('n', 3000);
const streams = option('streams', 6);
const rounds = 12;

ensureBuilt();
const upstream = fork(join(import.meta.dirname, 'support', 'fast-model.mjs'));
const [port] = (await once(upstream, 'message')) as [number];
const proxy = fork(join(import.meta.dirname, 'support', 'bare-proxy.mjs'), [String(port)]);
const [proxyPort] = (await once(proxy, 'message')) as [number];
const direct = `http://127.0.0.1:${String(port)}`;
await using berth = await startBerth({
  env: { LOG_LEVEL: 'warn', LITELLM_GATEWAY_URL: direct, LITELLM_API_KEY: 'sk-bench' },
});
const agent = await berth.client.agents.create({
  name: 'bench',
  harness: 'rehearsal',
  mode: 'auto',
  model: 'fast',
});
const session = await berth.client.sessions.create({ agentId: agent.id });
await idle(berth, session.id);
// The route is the runner's: this stands where the runner stands.
const link = await readLinkFile(join(berth.dataDir, 'runner'));
if (link === undefined) throw new Error('the runner has no link file');

const keepAlive = new http.Agent({ keepAlive: true, maxSockets: 1 });
interface Way {
  url: string;
  headers: Record<string, string>;
}
const ways: Record<'direct' | 'bare' | 'gateway', Way> = {
  direct: { url: `${direct}/v1/chat/completions`, headers: {} },
  bare: { url: `http://127.0.0.1:${String(proxyPort)}/v1/chat/completions`, headers: {} },
  gateway: {
    url: `${berth.url}/gateway/openai/v1/chat/completions`,
    headers: { authorization: `Bearer ${link.credential}`, 'x-berth-session': session.id },
  },
};

function post(way: Way, body: object, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((done, failed) => {
    const request = http.request(way.url, {
      method: 'POST',
      agent: keepAlive,
      headers: { 'content-type': 'application/json', ...way.headers },
    });
    request.setNoDelay(true);
    request.on('error', failed);
    request.on('response', (response) => {
      if (response.statusCode !== 200) failed(new Error(`status ${String(response.statusCode)}`));
      response.on('data', take);
      response.on('end', done);
    });
    request.end(JSON.stringify(body));
  });
}
// About what an agent sends in the middle of a conversation.
const asked = {
  model: 'fast',
  messages: Array.from({ length: 20 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: 'some words of a conversation '.repeat(8),
  })),
};

const latency = { direct: [] as number[], bare: [] as number[], gateway: [] as number[] };
for (let round = -1; round < rounds; round++)
  for (const name of ['direct', 'bare', 'gateway'] as const)
    for (let index = 0; index < Math.ceil(n / rounds); index++) {
      const startedAt = performance.now();
      await post(ways[name], asked, () => undefined);
      if (round >= 0) latency[name].push(performance.now() - startedAt);
    }

const delay = { direct: [] as number[], gateway: [] as number[] };
for (let round = -1; round < streams; round++)
  for (const name of ['direct', 'gateway'] as const)
    await post(ways[name], { ...asked, stream: true }, (chunk) => {
      const now = process.hrtime.bigint();
      for (const [, sent] of chunk.toString().matchAll(/"content":"(\d+)"/g))
        if (round >= 0) delay[name].push(Number(now - BigInt(sent ?? 0)) / 1e6);
    });
keepAlive.destroy();
upstream.disconnect();
proxy.disconnect();

const [plain, bare, routed] = [
  summary(latency.direct),
  summary(latency.bare),
  summary(latency.gateway),
];
const [near, far] = [summary(delay.direct), summary(delay.gateway)];
report(
  'gateway',
  [
    { what: 'direct call, p50', measured: plain.p50, unit: 'ms' },
    { what: 'through the gateway, p50', measured: routed.p50, unit: 'ms' },
    { what: 'added, p50', measured: routed.p50 - plain.p50, unit: 'ms', target: { atMost: 0.3 } },
    { what: 'added, fastest of each', measured: routed.min - plain.min, unit: 'ms' },
    { what: 'a bare proxy of Node adds, p50', measured: bare.p50 - plain.p50, unit: 'ms' },
    { what: 'chunk, direct, p50', measured: near.p50, unit: 'ms' },
    { what: 'chunk, through the gateway, p50', measured: far.p50, unit: 'ms' },
    {
      what: 'added to a chunk, p50',
      measured: far.p50 - near.p50,
      unit: 'ms',
      target: { atMost: 1 },
    },
  ],
  { latency: { direct: plain, bare, gateway: routed }, chunk: { direct: near, gateway: far } },
);
