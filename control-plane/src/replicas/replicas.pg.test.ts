import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Problem } from '@berth/contract';
import { createIds } from '../ids.ts';
import { createHints } from '../store/index.ts';
import { testDatabase, type TestDatabase } from '../store/testing/index.ts';
import { createDoor, createReplicas, type InternalCalls, type Replicas } from './index.ts';

const written: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void written.push(line) });
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 8_000, interval: 10 });
let stack: AsyncDisposableStack;
let db: TestDatabase;
const time = { ms: Date.parse('2026-11-22T12:00:00.000Z') };
const clock = { now: () => time.ms };
const newId = createIds(clock);

beforeEach(async () => {
  written.length = 0;
  stack = new AsyncDisposableStack();
  db = stack.use(await testDatabase());
});
afterEach(() => stack.disposeAsync());

async function open(calls: InternalCalls = {}): Promise<Replicas> {
  const hints = stack.use(await createHints({ store: db.store, logger }));
  const parts = { store: db.store, hints, clock, newId, logger, roles: ['web'] };
  const replicas = stack.use(await createReplicas(parts));
  const door = createDoor({ replicas, calls, logger });
  const server: Server = createServer((request, response) => {
    if (!door(request, response)) response.writeHead(418).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  await replicas.start({ url: `http://127.0.0.1:${String(port)}`, facts: null });
  return replicas;
}
async function session(runnerId: string | null): Promise<string> {
  const id = newId();
  await db.pool.query(
    `insert into session (id, team_id, agent_id, title, driver, mode, created_by_id, created_by_name, runner_id) values ($1, $1, $1, '', 'local', 'ask', $1, 'Ada', $2)`,
    [id, runnerId],
  );
  return id;
}
async function runner(): Promise<string> {
  const id = newId();
  await db.pool.query(`insert into runner (id, hash) values ($1, '')`, [id]);
  return id;
}

test('alone, nothing is elsewhere; then each knows the other, and who holds which link', async () => {
  const one = await open();
  const runnerId = await runner();
  const id = await session(null);
  await one.claim(runnerId);
  expect(one.others()).toEqual([]);
  expect(await one.elsewhere(id)).toBe(false);
  const other = await open();
  await until(() => expect(one.others().map((each) => each.id)).toEqual([other.id]));
  expect(other.others().map((each) => each.id)).toEqual([one.id]);
  expect(await other.elsewhere(id)).toBe(true);
  expect(await one.elsewhere(id)).toBe(false);
  expect((await other.seat(id))?.at.id).toBe(one.id);

  // Of two runners, the one that the session names; of none that it names, only the only one.
  const second = await runner();
  await other.claim(second);
  expect(await one.seat(id)).toBeNull();
  expect((await one.seat(await session(second)))?.at.id).toBe(other.id);
  await other.release(second);
  expect((await one.seat(id))?.runnerId).toBe(runnerId);
});

test('a link that another one claims is told to the one that had it, and is not given up for it', async () => {
  const one = await open();
  const other = await open();
  const runnerId = await runner();
  const held: ReadonlySet<string>[] = [];
  one.onClaims((ours) => held.push(ours));
  await one.claim(runnerId);
  await until(() => expect(held.at(-1)).toEqual(new Set([runnerId])));
  await other.claim(runnerId);
  await until(() => expect(held.at(-1)).toEqual(new Set()));
  await one.release(runnerId);
  const { rows } = await db.pool.query('select replica_id from runner');
  expect(rows).toEqual([{ replica_id: other.id }]);
});

test('who is silent is dead to the others, sure of nothing itself, and is told when it comes back', async () => {
  const one = await open();
  const other = await open();
  const away: number[] = [];
  one.onAway((silentMs) => away.push(silentMs));
  const runnerId = await runner();
  await one.claim(runnerId);
  const id = await session(runnerId);
  expect(one.sure).toBe(true);
  await db.pool.query(
    `update replica set heartbeat_at = now() - interval '11 seconds' where id = $1`,
    [one.id],
  );
  expect(await other.seat(id)).toBeNull();
  time.ms += 11_000;
  expect(one.sure).toBe(false);
  await until(() => expect(away).toHaveLength(1));
  expect(one.sure).toBe(true);
  expect((await other.seat(id))?.at.id).toBe(one.id);
});

test('a call: its value, its refusal, and one sentence when nobody answers; nothing without the secret', async () => {
  const one = await open();
  const other = await open({
    echo: async (body) => ({ body }),
    refuse: async () => {
      throw new Problem('terminal-closed', 'It has ended.');
    },
  });
  const to = await one.address(other.id);
  if (to === null) throw new Error('the other one lives');
  expect(await one.peers.call(to, 'echo', { n: 1 })).toEqual({ body: { n: 1 } });
  await expect(one.peers.call(to, 'refuse', {})).rejects.toMatchObject({ code: 'terminal-closed' });
  const wrong = { ...to, secret: 'x'.repeat(to.secret.length) };
  await expect(one.peers.call(wrong, 'echo', {})).rejects.toMatchObject({
    code: 'runner-unreachable',
  });
  const without = await fetch(`${to.url}/internal/v1/echo`, { method: 'POST', body: '{}' });
  expect(without.status).toBe(404);

  // Takes the connection and never answers, as a frozen process does.
  const frozen = createServer(() => undefined);
  await new Promise<void>((done) => frozen.listen(0, '127.0.0.1', done));
  stack.defer(() => {
    frozen.closeAllConnections();
    frozen.close();
  });
  const { port } = frozen.address() as AddressInfo;
  const from = performance.now();
  await expect(
    one.peers.call({ ...to, url: `http://127.0.0.1:${String(port)}` }, 'echo', {}),
  ).rejects.toMatchObject({ code: 'runner-unreachable' });
  expect(performance.now() - from).toBeLessThan(6_000);
  expect(written.join('')).not.toContain(to.secret);
});
