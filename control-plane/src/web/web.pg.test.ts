import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { problems } from '@berth/contract';
import type { Route } from '@berth/contract/routes';
import { problemsOf, routes } from '@berth/contract/routes';
import type { Answered, SetUp } from './testing/set-up.ts';
import { setUp } from './testing/set-up.ts';

let at: SetUp;
beforeAll(async () => {
  at = await setUp();
});
afterAll(() => at[Symbol.asyncDispose]());

const all = Object.entries(routes as Record<string, Route>);
const id = '0193a000-0000-7000-8000-000000000000';
const path = (route: Route, value = id) =>
  route.path.replaceAll('{tokenId}', '0123456789').replaceAll(/\{[A-Za-z]+\}/g, value) +
  (Object.values(route.query ?? {}).some((each) => 'required' in each) ? '?path=a' : '');
const code = (answer: Answered) => answer.json['code'];

/** Every problem has the same shape, and its code is one that the route may give. */
function expectProblem(answer: Answered, wanted: string, route?: Route): void {
  expect({ status: answer.status, code: code(answer), detail: answer.text }).toMatchObject({
    code: wanted,
  });
  const { status, title } = problems[wanted as keyof typeof problems];
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.status).toBe(status);
  expect(answer.json).toMatchObject({
    type: `urn:berth:problem:${wanted}`,
    title,
    status,
    requestId: answer.headers.get('x-request-id'),
  });
  if (route) expect(problemsOf(route)).toContain(wanted);
}

/** Where the other fields depend on one, it has to be there. */
const start: Record<string, object> = { createTicket: { for: 'channels' } };

const headersOf = (route: Route): Record<string, string> =>
  route.headers?.includes('If-Match') ? { 'if-match': '"1"' } : {};
const methodOf = (route: Route): string => route.method.toUpperCase();
/** Only the routes that a rule is about: no case is registered that could not run. */
const where = (rule: (route: Route) => boolean) => all.filter(([, route]) => rule(route));

test.each(where(({ action }) => action !== null))(
  '%s is only for those who are signed in',
  async (_name, route) => {
    const headers = headersOf(route);
    const without = await at.call(methodOf(route), path(route), { token: null, headers });
    expectProblem(without, 'not-signed-in', route);
    const wrong = await at.call(methodOf(route), path(route), { token: `${at.token}x`, headers });
    expect(['not-signed-in', 'too-many-requests']).toContain(code(wrong));
  },
);

test.each(where(({ action }) => action !== null && action !== 'read'))(
  '%s is not for a token that may only read',
  async (_name, route) => {
    const { token } = await at.identity.createToken(at.owner, { name: 'r', scopes: ['read'] });
    const options = { token, headers: headersOf(route) };
    expectProblem(await at.call(methodOf(route), path(route), options), 'forbidden', route);
  },
);

test.each(where((route) => route.path.includes('{')))(
  '%s does not know a malformed id',
  async (_name, route) => {
    for (const value of ['nonsense', '%00', `${id}0`, '..%2f..']) {
      const place = path(route, value).replace('0123456789', 'x');
      const headers = headersOf(route);
      expectProblem(await at.call(methodOf(route), place, { headers }), 'not-found');
    }
  },
);

test.each(all)('%s refuses a query that it does not know', async (_name, route) => {
  const place = path(route);
  const sign = place.includes('?') ? '&' : '?';
  const headers = headersOf(route);
  const answer = await at.call(methodOf(route), `${place}${sign}nonsense=1`, { headers });
  expectProblem(answer, 'invalid-request', route);
  expect(answer.json['errors']).toEqual([{ pointer: '?nonsense', detail: 'is not known here' }]);
});

test.each(where(({ body }) => body !== undefined))(
  '%s refuses bodies that are not its own',
  async (name, route) => {
    const send = (body: unknown, type?: string) =>
      at.call(methodOf(route), path(route), {
        body,
        headers: { ...headersOf(route), ...(type === undefined ? {} : { 'content-type': type }) },
      });
    expectProblem(await send('{"a":'), 'malformed-json', route);
    expectProblem(await send('{}', 'text/plain'), 'unsupported-media-type', route);
    expectProblem(await send('{}', 'application/json; charset=x'), 'unsupported-media-type', route);
    expectProblem(await send('[]'), 'invalid-request', route);
    const unknown = await send({ ...start[name], nonsense: 1 });
    expectProblem(unknown, 'invalid-request', route);
    expect(unknown.json['errors']).toContainEqual({
      pointer: '/nonsense',
      detail: 'is not known here',
    });
    const huge = `{"nonsense":"${'x'.repeat(route.body?.maxBytes ?? 1024 * 1024)}"}`;
    expectProblem(await send(huge), 'body-too-large', route);
  },
);

test.each(where(({ stream }) => stream !== undefined))(
  '%s refuses media types that are not bytes',
  async (_name, route) => {
    const answer = await at.call(methodOf(route), path(route), { body: '{}' });
    expectProblem(answer, 'unsupported-media-type', route);
  },
);

test.each(all)('%s names the methods that its place knows', async (_name, route) => {
  const answer = await at.call('PROPFIND', path(route));
  expectProblem(answer, 'method-not-allowed');
  expect(answer.headers.get('allow')?.split(', ')).toContain(methodOf(route));
});

describe('a foreign id', () => {
  const bodies: Record<string, unknown> = {
    patchAgent: { name: 'mine' },
    patchSession: { title: 'mine' },
    createTurn: { id, prompt: [{ type: 'text', text: 'x' }] },
    patchTurn: { position: 0 },
    settleTurn: { answer: 'drop' },
    decideApproval: { optionId: 'a', revision: 1 },
  };
  // What stands at these ports is scripted here; the features' own tests show the same for the real ones.
  const elsewhere = /terminals|files|changes|logs/;
  const places = all.filter(
    ([, route]) => route.path.includes('{') && route.action !== null && !elsewhere.test(route.path),
  );

  test.each(places)('is as unknown to %s as one that never was', async (name, route) => {
    const eve = await at.stranger();
    const agent = await at.call('POST', '/api/v1/agents', {
      body: { name: 'a', harness: 'rehearsal' },
    });
    const session = await at.call('POST', '/api/v1/sessions', {
      body: {
        agentId: at.agentId,
        prompt: [{ type: 'text', text: 'hello' }],
        turnId: at.newId(),
      },
    });
    const sessionId = String(session.json['id']);
    const turns = await at.call('GET', `/api/v1/sessions/${sessionId}/turns`);
    const turnId = (turns.json['items'] as { id: string }[])[0]?.id ?? '';
    const approval = await at.script.ask(sessionId);
    const token = await at.identity.createToken(at.owner, { name: 't', scopes: ['*'] });
    const real: Record<string, string> = {
      agentId: String(agent.json['id']),
      sessionId,
      turnId,
      approvalId: approval.id,
      tokenId: token.id,
      blobId: id,
    };
    const ask = (values: (name: string) => string) =>
      at.call(
        route.method.toUpperCase(),
        route.path.replaceAll(/\{([A-Za-z]+)\}/g, (_whole, each: string) => values(each)),
        {
          token: eve.token,
          headers: route.headers?.includes('If-Match') ? { 'if-match': '"1"' } : {},
          ...(name in bodies ? { body: bodies[name] } : {}),
        },
      );
    const foreign = await ask((each) => real[each] ?? '');
    const never = await ask((each) => (each === 'tokenId' ? '0123456789' : id));
    expectProblem(foreign, 'not-found', route);
    expect({ ...foreign.json, requestId: '' }).toEqual({ ...never.json, requestId: '' });
  });
});

test('what is mounted is what the table says, and the other way round', () => {
  interface Layer {
    route?: { path: string; methods: Record<string, boolean> };
  }
  const stack = (at.web.app as unknown as { router: { stack: Layer[] } }).router.stack;
  const typed = ['/sessions', '/sessions/{id}', '/approvals', '/agents', '/agents/{id}'];
  const pages = new Set(['/', '/sign-in/{secret}', ...typed].map((place) => `get ${place}`));
  const mounted = stack.flatMap(({ route }) => {
    if (route === undefined) return [];
    const methods = Object.keys(route.methods);
    // `all` answers 405; it is no route of its own.
    if (methods.length !== 1 || methods[0] === '_all') return [];
    return [`${methods[0] ?? ''} ${route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}')}`];
  });
  const table = all.map(([, route]) => `${route.method} ${route.path}`);
  expect(mounted.filter((each) => !pages.has(each)).sort()).toEqual(table.sort());
  expect(new Set(table).size).toBe(table.length);
});

test('the OpenAPI document describes the same', async () => {
  const answer = await at.call('GET', '/api/v1/openapi.json', { token: null });
  const { paths } = answer.json as { paths: Record<string, Record<string, object>> };
  const described = Object.entries(paths).flatMap(([place, methods]) =>
    Object.keys(methods).map((method) => `${method} ${place}`),
  );
  expect(described.sort()).toEqual(all.map(([, each]) => `${each.method} ${each.path}`).sort());
  expect(answer.text).not.toContain('$defs');
});

test('errors that nobody foresaw say nothing of their insides and are logged once', async () => {
  const message = 'secret inside';
  at.script.bug = new Error(message);
  const answer = await at.call('GET', '/api/v1/sessions');
  expectProblem(answer, 'internal-error');
  expect(answer.text).not.toContain(message);
  const requestId = String(answer.json['requestId']);
  const logged = at.lines.filter((each) => each.includes(requestId) && each.includes(message));
  expect(logged).toHaveLength(1);
});

test('the log has no query, no header and no path with a secret in it', async () => {
  await at.call('GET', '/api/v1/agents?limit=7');
  await at.call('GET', '/sign-in/verysecret', { token: null });
  await at.call('GET', '/unknown/place?token=verysecret');
  const text = at.lines.join('');
  expect(text).toContain('"route":"/sign-in/{secret}"');
  expect(text).not.toContain('verysecret');
  expect(text).not.toContain('limit=7');
  expect(text).not.toContain(at.token);
});

test('broken HTTP is answered and breaks nothing', async () => {
  const { connect } = await import('node:net');
  const { port } = new URL(at.url);
  const raw = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.end(text));
      let got = '';
      socket.on('data', (chunk) => (got += chunk.toString()));
      socket.on('close', () => resolve(got));
      socket.on('error', reject);
    });
  expect(await raw('nonsense\r\n\r\n')).toContain('HTTP/1.1 400');
  expect(await raw('GET /api/v1/agents/%ff HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain(
    'invalid-request',
  );
  expect(await raw('GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('404');
  expect((await at.call('GET', '/healthz')).status).toBe(200);
});
