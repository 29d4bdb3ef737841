import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { ProblemBody } from '@berth/contract';
import { routes, type Route } from '@berth/contract/routes';
import { ask, furnish, refused, signedIn, type Ids } from './support/api.ts';
import { startBerth, type Berth } from './support/berth.ts';
import { person, type Person } from './support/people.ts';

/*
 * Who may do what: every operation of the OpenAPI document, asked by every role, in a session of one's own and in a colleague's. What is refused
 * is 403 `forbidden`, for what can be read is no secret; what is another team's is 404 (openapi.e2e.ts).
 */
let berth: Berth;
let teamId: string;
/** The owner's, which must come through all of this unharmed. */
let theirs: Ids;
const people = new Map<string, Berth>();

beforeAll(async () => {
  berth = await startBerth();
  const me = (await (
    await fetch(`${berth.url}/api/v1/me`, { headers: signedIn(berth.token) })
  ).json()) as { team: { id: string } };
  teamId = me.team.id;
  theirs = await furnished(berth);
  const roles: Record<string, Omit<Person, 'teamId'>> = {
    viewer: { role: 'viewer' },
    member: { role: 'member' },
    admin: { role: 'admin' },
    'an owner who lends a token for reading': { role: 'owner', scopes: ['read'] },
  };
  for (const [name, role] of Object.entries(roles))
    people.set(name, await person(berth, { ...role, teamId }));
});
afterAll(() => berth[Symbol.asyncDispose]());

/** With the file that `ask` reads and writes. */
async function furnished(maker: Berth): Promise<Ids> {
  const ids = await furnish(berth, maker, berth);
  await maker.client.files.write(ids['sessionId'] ?? '', 'x', Buffer.from('x'));
  return ids;
}
const signedInOnly = Object.entries(routes as Record<string, Route>).filter(
  ([, route]) => route.action !== null,
);
const who = (name: string): Berth => {
  const found = people.get(name);
  if (found === undefined) throw new Error(`nobody is ${name}`);
  return found;
};

/** What changes a session, or what is in it: all but reading, and what is no session's. */
const inSession = (id: string, route: Route): boolean =>
  id === 'patchSession' ||
  (['sessions', 'terminals', 'approvals', 'workspace'].includes(route.action ?? '') &&
    id !== 'createSession');
/** What takes away what others still need comes last. */
const last = ['closeTerminal', 'archiveSession', 'deleteSession', 'deleteAgent', 'revokeToken'];
const order = signedInOnly.toSorted(([a], [b]) => last.indexOf(a) - last.indexOf(b));

test('the document that is served has these operations, and says for each that it may be forbidden', async () => {
  const document = (await (await fetch(`${berth.url}/api/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { operationId?: string; responses?: object }>>;
  };
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const forbidding = operations.filter(({ responses = {} }) => '403' in responses);
  expect(forbidding.map(({ operationId }) => operationId).sort()).toEqual(
    expect.arrayContaining(signedInOnly.map(([id]) => id).sort()),
  );
});

/** Roles that may do nothing but read; a member may do nothing more in a colleague's session. */
describe.each<[string, (id: string, route: Route) => boolean]>([
  ['viewer', (id, route) => route.action !== 'read' || id === 'patchSession'],
  [
    'an owner who lends a token for reading',
    (id, route) => route.action !== 'read' || id === 'patchSession' || id === 'createSignInLink',
  ],
  ['member', (id, route) => inSession(id, route) || route.action === 'agents'],
])('%s, in a colleague’s session', (name, isForbidden) => {
  test.each(order.filter(([id, route]) => isForbidden(id, route)))(
    '%s is forbidden',
    async (id, route) => {
      refused(await ask(who(name), id, route, { ids: theirs }), 'forbidden');
    },
  );
  // Their own tokens are others, and the ids of sessions and agents that this would make are not looked at.
  const allowed = order.filter(([id, route]) => !isForbidden(id, route) && id !== 'revokeToken');
  test.each(allowed)('%s is not', async (id, route) => {
    letIn(await ask(who(name), id, route, { ids: theirs }));
  });
  test('seen is everybody’s own: readSeq may be set', async () => {
    const body = JSON.stringify({ readSeq: 1 });
    const answer = await ask(who(name), 'patchSession', routes.patchSession, { ids: theirs, body });
    expect(answer.status).toBe(200);
  });
  test('its terminal is not typed into', async () => {
    expect(await closeCodeOf(who(name), theirs['terminalId'] ?? '')).toBe(4403);
  });
});

test('after all that was forbidden, everything of the owner is as it was', async () => {
  const session = await berth.client.sessions.get(theirs['sessionId'] ?? '');
  expect(session.status).toBe('idle');
  expect(session.title).not.toBe('y');
  expect(session.archivedAt).toBeUndefined();
  const turns = await berth.client.turns.list(session.id);
  expect(turns.items).toHaveLength(1);
  const [terminal] = await berth.client.terminals.list(session.id);
  expect(terminal?.state).toBe('open');
  expect((await berth.client.approvals.get(theirs['approvalId'] ?? '')).state).toBe('waiting');
});

describe.each<[string, string, () => Promise<Ids>]>([
  ['member', 'their own session', () => furnished(who('member'))],
  ['admin', 'a colleague’s session', () => furnished(berth)],
])('%s, in %s', (name, _where, made) => {
  let ids: Ids;
  beforeAll(async () => {
    ids = await made();
  });
  test('its terminal is typed into', async () => {
    expect(await closeCodeOf(who(name), ids['terminalId'] ?? '')).toBe('open');
  });
  const asked = order.filter(
    ([id, route]) =>
      (name === 'admin' || route.action !== 'agents') &&
      id !== 'signOut' &&
      (name === 'member' || id !== 'revokeToken'),
  );
  test.each(asked)('%s is not forbidden', async (id, route) => {
    letIn(await ask(who(name), id, route, { ids }));
  });
});

/** It was let in; whether it could be done just then is another matter. */
function letIn({ status, body }: { status: number; body: unknown }): void {
  const said = JSON.stringify(body);
  expect([401, 404, 500], said).not.toContain(status);
  if (status === 403) expect((body as ProblemBody).code, said).toBe('outside-workspace');
}

/** How the terminal's socket ended, or that it is open after its first frame. */
function closeCodeOf(someone: Berth, terminalId: string): Promise<number | 'open'> {
  const url = `${someone.url.replace('http', 'ws')}/api/v1/terminals/${terminalId}/attach`;
  const socket = new WebSocket(url, 'berth.terminal.v1', { headers: signedIn(someone.token) });
  return new Promise((done, failed) => {
    socket.once('error', failed);
    socket.once('close', done);
    socket.once('message', () => {
      done('open');
      socket.terminate();
    });
  });
}
