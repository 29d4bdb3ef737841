import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../clock.ts';
import { createIds, uuidV7 } from '../ids.ts';
import { testDatabase } from '../store/testing/index.ts';
import { startEgress, type Egress } from './egress.ts';

const newId = createIds(systemClock);
const script = join(import.meta.dirname, 'proxy', 'main.ts');
const token = 'a-token-of-this-session';
const policy = {
  sessionId: newId(),
  teamId: newId(),
  tokenHash: createHash('sha256').update(token).digest('base64'),
  allow: ['allowed.example'],
};
let db: Awaited<ReturnType<typeof testDatabase>>;
let folder: string;
let egress: Egress;

const start = (): Promise<Egress> =>
  startEgress({
    script,
    socketPath: join(folder, 'vault.sock'),
    trusted: '',
    store: db.store,
    clock: systemClock,
    keepMs: 86_400_000,
    newId,
    logger: pino({ level: 'silent' }),
  });

beforeEach(async () => {
  db = await testDatabase();
  folder = await mkdtemp(join(tmpdir(), 'berth-egress-'));
  egress = await start();
  egress.setPolicy(policy);
});
afterEach(async () => {
  await egress[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What the runner's forwarder sends, and all that comes back; null: nobody is there. */
function ask(host: string, sessionId = policy.sessionId): Promise<string | null> {
  return new Promise((done) => {
    const socket = net.connect(egress.socketPath);
    let said = '';
    socket.on('connect', () =>
      socket.write(
        `BERTH/1 ${sessionId} ${token}\nCONNECT ${host}:443 HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
      ),
    );
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.on('error', () => done(null));
    socket.on('close', () => done(said));
  });
}
const rows = () => db.prisma.egressEvent.findMany({ orderBy: { at: 'asc' } });

test('a refused connection is a row with its reason', async () => {
  expect(await ask('other.example')).toContain('x-berth: other.example is not on the egress list');
  await expect.poll(rows, { timeout: 10_000 }).toMatchObject([
    {
      sessionId: policy.sessionId,
      teamId: policy.teamId,
      host: 'other.example',
      port: 443,
      outcome: 'denied',
      reason: 'other.example is not on the egress list',
      address: null,
      bytesUp: 0n,
      bytesDown: 0n,
    },
  ]);
});

test('a session that it was not told of, or no longer, gets nothing and leaves no row', async () => {
  expect(await ask('other.example', newId())).toBe('');
  egress.forget(policy.sessionId);
  await expect.poll(() => ask('other.example')).toBe('');
  await egress[Symbol.asyncDispose]();
  expect(await rows()).toEqual([]);
});

test('what was refused last is stored when it ends', async () => {
  await ask('late.example');
  await egress[Symbol.asyncDispose]();
  expect((await rows()).map(({ host }) => host)).toEqual(['late.example']);
});

test('killed, it is back by itself, and knows every session', async () => {
  process.kill(await proxyPid(), 'SIGKILL');
  await vi.waitFor(
    async () => expect(await ask('other.example')).toContain('not on the egress list'),
    { timeout: 20_000, interval: 100 },
  );
});

test('records are kept as long as the operator says, and no longer', async () => {
  await egress[Symbol.asyncDispose]();
  const now = systemClock.now();
  const at = (ageMs: number, host: string) => ({
    id: uuidV7(now - ageMs, randomBytes(10)),
    ...{ teamId: policy.teamId, sessionId: policy.sessionId, at: new Date(now - ageMs) },
    ...{ host, port: 443, outcome: 'denied', reason: 'x' },
  });
  // More than one batch of old ones.
  const old = Array.from({ length: 5_200 }, (_none, n) => at(90_000_000 + n, 'old.example'));
  const young = [at(80_000_000, 'young.example'), at(0, 'now.example')];
  await db.prisma.egressEvent.createMany({ data: [...old, ...young] });
  egress = await start();
  await expect
    .poll(async () => (await rows()).map(({ host }) => host), { timeout: 10_000 })
    .toEqual(['young.example', 'now.example']);
});

/** The child of ours that runs the proxy. */
async function proxyPid(): Promise<number> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (parent === process.pid && command.includes(script)) return Number(name);
  }
  throw new Error('the proxy is not a child of ours');
}
