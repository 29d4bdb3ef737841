import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { problemBody, problems, type ProblemBody } from '@berth/contract';
import { paramNames, routes, type Route } from '@berth/contract/routes';
import * as z from 'zod/mini';
import { schemathesisPath } from '../scripts/probes.mjs';
import { startBerth, type Berth } from './support/berth.ts';
import { openDatabaseOf, secondTeam } from './support/second-team.ts';
import { autoAgent, idle, rehearsal, say, text, waiting } from './support/talk.ts';

/*
 * The API from outside: every route of the contract with missing, foreign and malformed input, against the running product with two teams in
 * one database; then Schemathesis over the document that is served.
 */
type Ids = Record<string, string>;
let berth: Berth;
let mine: Ids;
let theirs: Ids;

async function furnish(team: Berth): Promise<Ids> {
  const agent = await autoAgent(team);
  const session = await team.client.sessions.create({ agentId: agent.id });
  await idle(team, session.id);
  const turn = await say(team, session.id, '/say hello');
  const asking = await team.client.sessions.create({ agentId: (await asker(team)).id });
  await team.client.turns.create(asking.id, { id: randomUUID(), prompt: text('/ask So? | a | b') });
  const approval = await waiting(team, asking.id);
  const terminal = await team.client.terminals.open(session.id, {
    kind: 'shell',
    cols: 80,
    rows: 24,
  });
  const tokens = (await (
    await fetch(`${team.url}/api/v1/tokens`, { headers: signedIn(team.token) })
  ).json()) as {
    items: { id: string }[];
  };
  return {
    agentId: agent.id,
    sessionId: session.id,
    turnId: turn.id,
    approvalId: approval.id,
    terminalId: terminal.id,
    blobId: await blobOf(session.id),
    tokenId: tokens.items[0]?.id ?? '',
  };
}
/** Long output lies aside only with agents that give it raw, which the rehearsal agent does not: so it is put there. */
async function blobOf(sessionId: string): Promise<string> {
  const id = randomUUID();
  const sql = await openDatabaseOf(berth.dataDir);
  await sql.query(
    `insert into session_blob (id, team_id, session_id, media_type, bytes)
     select $1, team_id, id, 'text/plain', 'long' from session where id = $2`,
    [id, sessionId],
  );
  await sql.end();
  return id;
}
const asker = async (team: Berth) =>
  team === berth
    ? rehearsal(team)
    : team.client.agents.create({ name: 'asks', harness: 'rehearsal', mode: 'ask' });
const signedIn = (token: string) => ({ authorization: `Bearer ${token}` });

beforeAll(async () => {
  berth = await startBerth();
  mine = await furnish(berth);
  theirs = await furnish(await secondTeam(berth));
});
afterAll(async () => {
  await berth[Symbol.asyncDispose]();
});

const table = Object.entries(routes as Record<string, Route>);
/** A body that fits, where the contract wants one. */
const bodies: Record<string, (ids: Ids) => unknown> = {
  createTicket: () => ({ for: 'channels' }),
  createToken: () => ({ name: 'x' }),
  createSignInLink: () => ({}),
  createAgent: () => ({ name: 'x', harness: 'rehearsal', mode: 'ask' }),
  patchAgent: () => ({ name: 'y' }),
  createSession: (ids) => ({ agentId: ids['agentId'] }),
  patchSession: () => ({ title: 'y' }),
  createTurn: () => ({ id: randomUUID(), prompt: text('x') }),
  patchTurn: () => ({ prompt: text('y') }),
  settleTurn: () => ({ answer: 'drop' }),
  decideApproval: () => ({ optionId: 'a', revision: 1 }),
  createTerminal: () => ({ kind: 'shell', cols: 80, rows: 24 }),
};

interface Asked {
  status: number;
  body: unknown;
  headers: Headers;
}
interface Request {
  ids: Ids;
  token?: string | null;
  body?: string | Uint8Array;
  type?: string;
  query?: string;
  accept?: string;
}
async function ask(id: string, route: Route, request: Request): Promise<Asked> {
  const { ids, token = berth.token, query } = request;
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? '');
  const needed = Object.entries(route.query ?? {}).flatMap(([name, parameter]) =>
    'required' in parameter ? [`${name}=x`] : [],
  );
  const search = query ?? needed.join('&');
  const headers: Record<string, string> = {
    ...(token === null ? {} : signedIn(token)),
    ...(request.accept === undefined ? {} : { accept: request.accept }),
    ...(route.headers?.includes('If-Match') === true ? { 'if-match': '"1"' } : {}),
  };
  let body: string | Uint8Array | undefined = request.body;
  if (body === undefined && route.body !== undefined) {
    const make = bodies[id];
    if (make === undefined) throw new Error(`this test has no body for ${id}`);
    body = JSON.stringify(make(ids));
  }
  if (body === undefined && route.stream !== undefined) body = 'x';
  if (body !== undefined)
    headers['content-type'] = request.type ?? route.stream?.[0] ?? 'application/json';
  const answer = await fetch(`${berth.url}${path}${search === '' ? '' : `?${search}`}`, {
    method: route.method.toUpperCase(),
    headers,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Blob([body]) }),
    redirect: 'manual',
  });
  const said = await answer.text();
  const json = answer.headers.get('content-type')?.includes('json') === true;
  return {
    status: answer.status,
    body: json ? (JSON.parse(said) as unknown) : said,
    headers: answer.headers,
  };
}

function refused({ status, body, headers }: Asked, code: keyof typeof problems): ProblemBody {
  expect({ status, code: (body as ProblemBody).code }, JSON.stringify(body)).toEqual({
    status: problems[code].status,
    code,
  });
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(headers.get('x-request-id')).toBe((body as ProblemBody).requestId);
  expect(z.safeParse(problemBody, body).success).toBe(true);
  expect((body as ProblemBody).detail).toMatch(/^.{3,400}$/s);
  return body as ProblemBody;
}

test('all ids are there to ask for', async () => {
  expect(await ask('getBlob', routes.getBlob, { ids: mine })).toMatchObject({
    status: 200,
    body: 'long',
  });
  for (const ids of [mine, theirs])
    for (const [name, value] of Object.entries(ids)) expect(value, name).not.toBe('');
});

describe('nobody signed in', () => {
  test.each(table.filter(([, route]) => route.action !== null))('%s', async (id, route) => {
    refused(await ask(id, route, { ids: mine, token: null }), 'not-signed-in');
  });
});

describe('a token that is none', () => {
  test.each(table.filter(([, route]) => route.action !== null))('%s', async (id, route) => {
    const answer = await ask(id, route, {
      ids: mine,
      token: `berth_${'0'.repeat(10)}_${'0'.repeat(32)}`,
    });
    // After twenty of them the address is told to wait; a good token passes all the same.
    expect([401, 429]).toContain(answer.status);
    refused(answer, answer.status === 401 ? 'not-signed-in' : 'too-many-requests');
  });
});

const withIds = table.filter(([, route]) => route.path.includes('{'));
describe('what belongs to another team is not there', () => {
  test.each(withIds)('%s', async (id, route) => {
    refused(await ask(id, route, { ids: theirs }), 'not-found');
    // Its parts are not reached through a session of one's own either.
    if (paramNames(route.path).length > 1)
      refused(
        await ask(id, route, { ids: { ...theirs, sessionId: mine['sessionId'] ?? '' } }),
        'not-found',
      );
  });
  test('in a body', async () => {
    const route: Route = routes.createSession;
    refused(await ask('createSession', route, { ids: theirs }), 'not-found');
  });
  test('in a filter', async () => {
    const { body } = await ask('listSessions', routes.listSessions, {
      ids: mine,
      query: `agentId=${theirs['agentId'] ?? ''}`,
    });
    expect(body).toEqual({ items: [], nextCursor: null });
    const approvals = await ask('listApprovals', routes.listApprovals, {
      ids: mine,
      query: `sessionId=${theirs['sessionId'] ?? ''}`,
    });
    expect(approvals.body).toEqual({ items: [], nextCursor: null });
  });
  test('in lists', async () => {
    for (const id of ['listSessions', 'listAgents', 'listApprovals', 'listTokens'] as const) {
      const { status, body } = await ask(id, routes[id], { ids: mine, query: '' });
      expect(status).toBe(200);
      for (const foreign of Object.values(theirs))
        expect(JSON.stringify(body)).not.toContain(foreign);
    }
  });
});

describe('an id that is none', () => {
  const forms = ['x', '%00', '%2e%2e', '..%2f..', 'a'.repeat(3000), '%ff', "'%20or%201=1"];
  test.each(withIds)('%s', async (id, route) => {
    for (const form of forms) {
      const ids = Object.fromEntries(paramNames(route.path).map((name) => [name, form]));
      const answer = await ask(id, route, { ids });
      expect([400, 404], `${form}: ${JSON.stringify(answer.body)}`).toContain(answer.status);
      refused(answer, answer.status === 400 ? 'invalid-request' : 'not-found');
    }
    refused(
      await ask(id, route, {
        ids: Object.fromEntries(
          paramNames(route.path).map((name) => [
            name,
            name === 'tokenId' ? 'nobody' : randomUUID(),
          ]),
        ),
      }),
      'not-found',
    );
  });
});

describe('a body that does not fit', () => {
  test.each(table.filter(([, route]) => route.body !== undefined))('%s', async (id, route) => {
    for (const body of ['{', '{"a":', 'nul', '\u0000', '{"a":1}}'])
      refused(await ask(id, route, { ids: mine, body }), 'malformed-json');
    for (const body of ['null', '[]', '"x"', '1', 'true'])
      refused(await ask(id, route, { ids: mine, body }), 'invalid-request');
    const unknown = { ...(bodies[id]?.(mine) as object), aFieldOfTomorrow: 1 };
    const { errors } = refused(
      await ask(id, route, { ids: mine, body: JSON.stringify(unknown) }),
      'invalid-request',
    );
    expect(errors?.map(({ pointer }) => pointer)).toEqual(['/aFieldOfTomorrow']);
    refused(await ask(id, route, { ids: mine, type: 'text/plain' }), 'unsupported-media-type');
    refused(
      await ask(id, route, { ids: mine, body: new Uint8Array([0xff, 0xfe, 0x7b]) }),
      'malformed-json',
    );
    const most = route.body?.maxBytes ?? 2 ** 20;
    refused(await ask(id, route, { ids: mine, body: `"${'x'.repeat(most)}"` }), 'body-too-large');
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    refused(await ask(id, route, { ids: mine, body: deep }), 'invalid-request');
  });
  test.each(table.filter(([, route]) => route.stream !== undefined))('%s', async (id, route) => {
    refused(await ask(id, route, { ids: mine, type: 'text/html' }), 'unsupported-media-type');
  });
});

describe('a query that does not fit', () => {
  test.each(table.filter(([, route]) => route.action !== null))('%s', async (id, route) => {
    const answer = await ask(id, route, { ids: mine, query: 'ofTomorrow=1' });
    const { errors } = refused(answer, 'invalid-request');
    expect(errors?.map(({ pointer }) => pointer)).toContain('?ofTomorrow');
    for (const [name, parameter] of Object.entries(route.query ?? {})) {
      const wrong = { int: '-1', flag: 'maybe', 'one-of': 'other', uuid: 'x', text: '' }[
        parameter.kind
      ];
      refused(await ask(id, route, { ids: mine, query: `${name}=${wrong}` }), 'invalid-request');
      refused(await ask(id, route, { ids: mine, query: `${name}=1&${name}=2` }), 'invalid-request');
    }
  });
});

test('a path that is no route, and a method that is none', async () => {
  const at = (path: string, method = 'GET') =>
    fetch(`${berth.url}${path}`, { method, headers: signedIn(berth.token) });
  expect((await at('/api/v1/nothing')).status).toBe(404);
  expect((await at('/api/v2/sessions')).status).toBe(404);
  expect((await at('/api/v1/sessions', 'PUT')).status).toBe(405);
  expect((await at('/api/v1/me', 'DELETE')).status).toBe(405);
  expect((await at(`/api/v1/${'a/'.repeat(4000)}`)).status).toBe(404);
});

test.skipIf(!existsSync(schemathesisPath()))(
  'Schemathesis finds no 5xx and nothing that the document does not say (skipped without Python)',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-schemathesis-'));
    try {
      // A person who waits for a turn waits; a test need not.
      await writeFile(
        join(dir, 'schemathesis.toml'),
        `[[operations]]
include-operation-id = ["createTurn", "getTurn"]
parameters = { "header.Prefer" = "wait=1" }
`,
      );
      const { code, said } = await run(schemathesisPath(), dir, [
        ...['--config-file', 'schemathesis.toml', 'run', `${berth.url}/api/v1/openapi.json`],
        ...['-H', `Authorization: Bearer ${berth.token}`],
        ...['--phases', 'examples,coverage,fuzzing,stateful', '-c', 'all'],
        // Refusals that depend on what happened before (a key used twice, a version that is stale) are no faults; and after twenty
        // false sign-ins the answer is 429, which the tests above look at.
        ...['--exclude-checks', 'positive_data_acceptance,ignored_auth'],
        ...['-n', '25', '--seed', '1', '--request-timeout', '10', '--max-time', '120'],
        '--no-shrink',
      ]);
      expect(code, said.slice(-8000)).toBe(0);
      expect(said).toMatch(/Operations:\s+(\d+) selected \/ \1 total/);
      expect(said).toMatch(/Tested: \d\d/);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
    expect(berth.log()).not.toMatch(/"level":(50|60|"error"|"fatal")/);
    expect((await say(berth, mine['sessionId'] ?? '', '/say well')).reply).toBe('well');
  },
);

function run(
  program: string,
  cwd: string,
  args: string[],
): Promise<{ code: number | null; said: string }> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', failed);
    child.once('close', (code) => done({ code, said }));
  });
}
