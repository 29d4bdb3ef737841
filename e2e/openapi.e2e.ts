import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paramNames, routes, type Route } from '@berth/contract/routes';
import { schemathesisPath } from '../scripts/probes.mjs';
import * as api from './support/api.ts';
import { bodies, furnish, refused, signedIn, type Ids } from './support/api.ts';
import { startBerth, type Berth } from './support/berth.ts';
import { person } from './support/people.ts';
import { autoAgent, say } from './support/talk.ts';

/*
 * The API from outside: every route of the contract with missing, foreign and malformed input, against the running product with two teams in
 * one database; then Schemathesis over the document that is served.
 */
let berth: Berth;
let mine: Ids;
let theirs: Ids;

beforeAll(async () => {
  berth = await startBerth();
  mine = await furnish(berth, berth);
  theirs = await furnish(berth, await person(berth, { role: 'owner' }));
});
afterAll(async () => {
  await berth[Symbol.asyncDispose]();
});

const table = Object.entries(routes as Record<string, Route>);
const ask = (id: string, route: Route, request: api.Request): Promise<api.Asked> =>
  api.ask(berth, id, route, request);

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

test('paths that no file can have, and files that the agent closed', async () => {
  const { sessionId = '' } = mine;
  await say(
    berth,
    sessionId,
    '/run mkdir shut && echo x > shut/in && echo x > closed && chmod 000 closed shut',
  );
  const asked = [routes.listFiles, routes.readFile, routes.getDiff, routes.writeFile] as const;
  const paths = ['a'.repeat(300), 'a/'.repeat(1000), 'closed', 'shut', 'shut/in', 'closed/in', '.'];
  for (const route of asked)
    for (const path of paths) {
      const query = `path=${encodeURIComponent(path)}`;
      const { status, body } = await ask('', route, { ids: mine, query });
      expect([200, 400, 403, 404, 409], `${route.path} ${path}: ${JSON.stringify(body)}`).toContain(
        status,
      );
    }
  await say(berth, sessionId, '/run chmod -R 700 shut closed && rm -r shut closed');
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

describe.skipIf(!existsSync(schemathesisPath()))('Schemathesis (skipped without Python)', () => {
  /** As somebody of the team, with a token of their own: it tries what it likes. */
  async function schemathesis(...args: string[]): Promise<string> {
    const { team } = (await (
      await fetch(`${berth.url}/api/v1/me`, { headers: signedIn(berth.token) })
    ).json()) as { team: { id: string } };
    const { token } = await person(berth, { role: 'owner', teamId: team.id });
    const dir = await mkdtemp(join(tmpdir(), 'berth-schemathesis-'));
    try {
      // A person who waits for a turn waits; a test need not.
      await writeFile(
        join(dir, 'schemathesis.toml'),
        `[[operations]]
include-operation-id = ["createTurn", "getTurn"]
parameters = { "header.Prefer" = "wait=0" }
`,
      );
      const { code, said } = await run(schemathesisPath(), dir, [
        ...['--config-file', 'schemathesis.toml', 'run', `${berth.url}/api/v1/openapi.json`],
        ...['-H', `Authorization: Bearer ${token}`, '-c', 'all'],
        // Refusals that depend on what happened before (a key used twice, a version that is stale) are no faults; and after twenty
        // false sign-ins the answer is 429, which the tests above look at.
        ...['--exclude-checks', 'positive_data_acceptance,ignored_auth'],
        ...['--seed', '1', '--request-timeout', '10', '--no-shrink', ...args],
        // It counts as unhealthy how often it throws its own inputs away.
        ...['--suppress-health-check', 'filter_too_much,too_slow'],
      ]);
      expect(code, said.slice(-8000)).toBe(0);
      // It was signed in to its end: whoever is not, hears 401, and soon 429, whatever the route.
      const me = await fetch(`${berth.url}/api/v1/me`, { headers: signedIn(token) });
      expect(me.status, said.slice(-8000)).toBe(200);
      return said;
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  // Each has its time. On a slow machine it comes to fewer cases, in the same order: the seed is the same.
  test.each([
    // With it, it would find the token that it is signed in with.
    [
      'at every edge',
      ['--phases', 'coverage', '--max-time', '25', '--exclude-operation-id', 'revokeToken'],
    ],
    [
      'in a row',
      [
        '--phases',
        'stateful',
        '-n',
        '6',
        '--max-time',
        '15',
        '--exclude-operation-id',
        'revokeToken',
      ],
    ],
    [
      'by chance',
      [
        '--phases',
        'fuzzing',
        '-n',
        '5',
        '--max-time',
        '25',
        '--exclude-operation-id',
        'revokeToken',
      ],
    ],
    [
      'and revoking tokens',
      [
        '--phases',
        'coverage,fuzzing',
        '-n',
        '10',
        '--max-time',
        '8',
        '--include-operation-id',
        'revokeToken',
      ],
    ],
  ])('finds no 5xx and nothing that the document does not say, %s', async (_name, args) => {
    const said = await schemathesis(...args);
    expect(said).toMatch(/Tested: \d/);
    expect(berth.log()).not.toMatch(/"level":(50|60|"error"|"fatal")/);
    const { id } = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
    expect((await say(berth, id, '/say well')).reply).toBe('well');
  });
});

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
