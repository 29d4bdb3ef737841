import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { problemBody, problems, type ProblemBody } from '@berth/contract';
import type { Route } from '@berth/contract/routes';
import * as z from 'zod/mini';
import type { Berth } from './berth.ts';
import { openDatabaseOf } from './people.ts';
import { autoAgent, idle, rehearsal, say, text, waiting } from './talk.ts';

/** One id for each parameter that a path may have. */
export type Ids = Record<string, string>;

/** An agent, a session with a turn behind it, a question that waits, a terminal: made by `maker`, in sessions of `team`. */
export async function furnish(berth: Berth, maker: Berth, agents: Berth = maker): Promise<Ids> {
  const agent = await autoAgent(agents);
  const session = await maker.client.sessions.create({ agentId: agent.id });
  await idle(maker, session.id);
  const turn = await say(maker, session.id, '/say hello');
  const asking = await maker.client.sessions.create({
    agentId: (await asker(berth, agents)).id,
  });
  await maker.client.turns.create(asking.id, {
    id: randomUUID(),
    prompt: text('/ask So? | a | b'),
  });
  const approval = await waiting(maker, asking.id);
  const terminal = await maker.client.terminals.open(session.id, {
    kind: 'shell',
    cols: 80,
    rows: 24,
  });
  const tokens = (await (
    await fetch(`${maker.url}/api/v1/tokens`, { headers: signedIn(maker.token) })
  ).json()) as { items: { id: string }[] };
  return {
    agentId: agent.id,
    sessionId: session.id,
    turnId: turn.id,
    approvalId: approval.id,
    terminalId: terminal.id,
    blobId: await blobOf(berth, session.id),
    tokenId: tokens.items[0]?.id ?? '',
  };
}
/** Long output lies aside only with agents that give much of it: so it is put there. */
async function blobOf(berth: Berth, sessionId: string): Promise<string> {
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
const asker = async (berth: Berth, agents: Berth) =>
  agents === berth
    ? rehearsal(berth)
    : agents.client.agents.create({ name: 'asks', harness: 'rehearsal', mode: 'ask' });
export const signedIn = (token: string) => ({ authorization: `Bearer ${token}` });

/** A body that fits, where the contract wants one. */
export const bodies: Record<string, (ids: Ids) => unknown> = {
  createTicket: () => ({ for: 'channels' }),
  createToken: () => ({ name: 'x', scopes: ['read'] }),
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

export interface Asked {
  status: number;
  body: unknown;
  headers: Headers;
}
export interface Request {
  ids: Ids;
  token?: string | null;
  body?: string | Uint8Array;
  type?: string;
  query?: string;
  accept?: string;
}
/** Asks for one route of the contract; what the request does not say fits. */
export async function ask(
  berth: Pick<Berth, 'url' | 'token'>,
  id: string,
  route: Route,
  request: Request,
): Promise<Asked> {
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
    if (make === undefined) throw new Error(`the tests have no body for ${id}`);
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

export function refused(
  { status, body, headers }: Asked,
  code: keyof typeof problems,
): ProblemBody {
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
