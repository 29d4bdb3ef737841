import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Harness } from '@berth/contract';
import { createAgents } from '../../agents/index.ts';
import { systemClock } from '../../clock.ts';
import type { Actor } from '../../identity/index.ts';
import { createIdentity } from '../../identity/index.ts';
import { createIds } from '../../ids.ts';
import { testDatabase } from '../../store/testing/index.ts';
import { createWeb } from '../index.ts';
import { openSessions } from './sessions.ts';
import { scriptedTerminals, scriptedWorkspaces } from './sandbox.ts';

export const harnesses: Harness[] = [
  {
    id: 'rehearsal',
    title: 'Rehearsal',
    version: '1.0.0',
    installed: true,
    needsModel: false,
    modes: ['ask', 'auto'],
    terminal: 'attach',
  },
  {
    id: 'codex',
    title: 'Codex',
    version: '1.0.0',
    installed: false,
    needsModel: true,
    modes: ['ask', 'auto'],
    terminal: 'handover',
  },
];

export interface Answered {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

/** The real web, identity and agents on a database of their own, listening; the sandbox's side is scripted at its ports. */
export async function setUp(config: { publicUrl?: string } = {}) {
  const db = await testDatabase();
  const clock = systemClock;
  const newId = createIds(clock);
  const lines: string[] = [];
  const logger = pino(
    { level: 'debug' },
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString('utf8'));
        done();
      },
    }),
  );
  const webviewDir = await mkdtemp(join(tmpdir(), 'berth-web-'));
  await writeFile(join(webviewDir, 'app.js'), 'export {};\n');
  const identity = createIdentity({ sql: db.pool, clock, newId });
  const owner = await identity.ensureOwner({ user: 'Ada', team: 'Harbour' });
  const catalogue = { list: () => Promise.resolve(harnesses) };
  const agents = createAgents({
    sql: db.pool,
    clock,
    newId,
    harnesses: catalogue,
    changed: () => Promise.resolve(),
  });
  const agent = await agents.ensureRehearsal(owner.teamId);
  const services = await openSessions({ store: db.store, clock, newId, logger, owner });
  const { sessions, turns, approvals, log, script } = services;
  const terminals = scriptedTerminals();
  const workspaces = scriptedWorkspaces();
  const reasons: string[] = [];
  const runnerUpgrades: string[] = [];
  const web = createWeb({
    config,
    logger,
    clock,
    newId,
    store: db.store,
    identity,
    agents,
    harnesses: catalogue,
    sessions,
    turns,
    approvals,
    log,
    terminals,
    workspaces,
    gateway: (request, response) => response.end(`gateway ${String(request.url)}`),
    internal: () => false,
    runners: {
      upgrade(request, socket) {
        runnerUpgrades.push(request.url ?? '');
        // A link stays open for as long as it is let.
        if (request.url === '/api/v1/runner')
          socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        else socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      },
    },
    meta: () => ({
      name: 'berth',
      version: '0.1.0',
      channels: 1,
      terminal: 1,
      gateway: { configured: false, virtualKeys: false },
      drivers: ['local'],
      isolation: { isolated: true },
    }),
    metrics: new Registry(),
    webviewDir,
    ready: () => Promise.resolve(reasons),
  });
  const { url } = await web.listen(0, '127.0.0.1');
  const token = await identity.localToken(owner);

  /** Signed in unless `headers` say otherwise; an object as body is sent as JSON. */
  async function call(
    method: string,
    path: string,
    options: { body?: unknown; headers?: Record<string, string>; token?: string | null } = {},
  ): Promise<Answered> {
    const headers = new Headers(options.headers);
    const bearer = options.token === undefined ? token : options.token;
    if (bearer !== null && !headers.has('cookie')) headers.set('authorization', `Bearer ${bearer}`);
    const { body } = options;
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    if (body !== undefined && !headers.has('content-type'))
      headers.set('content-type', 'application/json');
    const answer = await fetch(url + path, {
      method,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = (answer.headers.get('content-type') ?? '').includes('json');
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  }

  /** Another team's member, signed in. */
  async function stranger(role = 'owner'): Promise<{ token: string }> {
    const [teamId, userId] = [newId(), newId()];
    await db.pool.query('insert into team (id, name) values ($1, $2)', [teamId, 'Other']);
    await db.pool.query('insert into app_user (id, name) values ($1, $2)', [userId, 'Eve']);
    await db.pool.query('insert into membership (team_id, user_id, role) values ($1, $2, $3)', [
      teamId,
      userId,
      role,
    ]);
    const actor: Actor = { teamId, userId, userName: 'Eve', role: 'owner', scopes: ['*'] };
    return identity.createToken(actor, { name: 'eve', scopes: ['*'] });
  }

  return {
    db,
    identity,
    owner,
    agents,
    agentId: agent.id,
    sessions,
    approvals,
    log,
    script,
    terminals,
    workspaces,
    reasons,
    runnerUpgrades,
    web,
    url,
    token,
    lines,
    newId,
    call,
    stranger,
    async [Symbol.asyncDispose]() {
      await web[Symbol.asyncDispose]();
      await services[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
      await rm(webviewDir, { recursive: true });
    },
  };
}
export type SetUp = Awaited<ReturnType<typeof setUp>>;
