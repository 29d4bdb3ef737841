import { Problem } from '@berth/contract';
import { paramNames, routes } from '@berth/contract/routes';
import { expect, test } from 'vitest';
import type { BerthClient } from './client.ts';
import { createClient } from './client.ts';
import {
  AnswerNotUnderstood,
  ServerUnreachable,
  UnknownProblem,
  codeOf,
  explain,
} from './errors.ts';
import { everything } from './events.ts';

interface Seen {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: unknown;
}
/** A server that answers each call as told and keeps what it was asked. */
function recorded(answer: (seen: Seen) => Response) {
  const seen: Seen[] = [];
  const client = createClient({
    url: 'http://berth.test/',
    token: () => 'berth_a_b',
    newId: () => 'fresh-id',
    fetch: async (url, init) => {
      const { pathname, searchParams } = new URL(url);
      const call = {
        method: init.method ?? 'GET',
        path: pathname,
        query: Object.fromEntries(searchParams),
        headers: init.headers as Record<string, string>,
        body: typeof init.body === 'string' ? (JSON.parse(init.body) as unknown) : init.body,
      };
      seen.push(call);
      return answer(call);
    },
  });
  return { client, seen };
}
const id = '0198c0de-0000-7000-8000-000000000001';
const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });
const refusal = (code: string, status: number, more: object = {}) =>
  json(
    { type: `urn:berth:problem:${code}`, title: 't', status, detail: 'why', code, ...more },
    status,
  );

// One call for each operation of the contract.
const calls: Record<string, (client: BerthClient) => Promise<unknown>> = {
  getMeta: (c) => c.meta(),
  getMe: (c) => c.me(),
  listHarnesses: (c) => c.harnesses(),
  listAgents: (c) => c.agents.list({ limit: 7, cursor: 'x' }),
  createAgent: (c) => c.agents.create({ name: 'n', harness: 'rehearsal' }),
  getAgent: (c) => c.agents.get(id),
  patchAgent: (c) => c.agents.patch(id, 3, { name: 'm' }),
  deleteAgent: (c) => c.agents.remove(id),
  listSessions: (c) => c.sessions.list({ archived: false, status: 'idle' }),
  createSession: (c) => c.sessions.create({ agentId: id }),
  getSession: (c) => c.sessions.get(id),
  patchSession: (c) => c.sessions.patch(id, 3, { title: 't' }),
  deleteSession: (c) => c.sessions.remove(id),
  suspendSession: (c) => c.sessions.suspend(id),
  resumeSession: (c) => c.sessions.resume(id),
  archiveSession: (c) => c.sessions.archive(id),
  unarchiveSession: (c) => c.sessions.unarchive(id),
  cancelTurn: (c) => c.sessions.cancel(id),
  restartAgent: (c) => c.sessions.restartAgent(id),
  takeBack: (c) => c.sessions.takeBack(id),
  listEvents: (c) => c.sessions.events(id, { tail: 5 }),
  getBlob: (c) => c.sessions.blob(id, id),
  exportSession: (c) => c.sessions.export(id),
  getLogs: (c) => c.logs(id, { source: 'runner', tail: 10 }),
  listTurns: (c) => c.turns.list(id, { state: 'queued' }),
  createTurn: (c) => c.turns.create(id, { id, prompt: [{ type: 'text', text: 'hi' }] }),
  getTurn: (c) => c.turns.get(id, id, { waitSeconds: 5 }),
  patchTurn: (c) => c.turns.patch(id, id, { position: 0 }),
  withdrawTurn: (c) => c.turns.withdraw(id, id),
  settleTurn: (c) => c.turns.settle(id, id, { answer: 'drop' }),
  listApprovals: (c) => c.approvals.list({ state: 'waiting' }),
  getApproval: (c) => c.approvals.get(id),
  decideApproval: (c) => c.approvals.decide(id, { optionId: 'yes', revision: 1 }),
  listTerminals: (c) => c.terminals.list(id),
  createTerminal: (c) => c.terminals.open(id, { kind: 'shell', cols: 80, rows: 24 }),
  closeTerminal: (c) => c.terminals.close(id),
  getScreen: (c) => c.terminals.screen(id),
  listFiles: (c) => c.files.list(id, 'src'),
  readFile: (c) => c.files.read(id, 'a.txt', { rev: 'base' }),
  writeFile: (c) => c.files.write(id, 'a.txt', new Uint8Array([1]), { ifMatch: 'e' }),
  writeArchive: (c) => c.files.archive(id, new Uint8Array([1]), { overwrite: true }),
  listChanges: (c) => c.changes.list(id),
  getDiff: (c) => c.changes.diff(id, 'a.txt'),
  getPatch: (c) => c.changes.patch(id),
  createTicket: (c) => c.tickets.create({ for: 'channels' }),
  createSignInLink: (c) => c.signInLinks.create('/#/sessions'),
  listTokens: (c) => c.tokens.list(),
  createToken: (c) => c.tokens.create({ name: 'ci' }),
  revokeToken: (c) => c.tokens.revoke('abc'),
  signOut: (c) => c.signOut(),
};
// Not for people's tools: probes, metrics, the document itself.
const leftOut = ['getHealth', 'getReadiness', 'getMetrics', 'getOpenApi'];

test('there is a call for every operation of the contract', () => {
  expect([...Object.keys(calls), ...leftOut].sort()).toEqual(Object.keys(routes).sort());
});

test.each(Object.keys(calls))(
  '%s goes where the contract says, with what it wants',
  async (name) => {
    const { client, seen } = recorded(() => new Response(null, { status: 418 }));
    await expect(calls[name]!(client)).rejects.toBeInstanceOf(UnknownProblem);
    const route = routes[name as keyof typeof routes];
    const call = seen[0]!;
    expect(call.method.toLowerCase()).toBe(route.method);
    const path = paramNames(route.path).reduce<string>(
      (text, param) => text.replace(`{${param}}`, param === 'tokenId' ? 'abc' : id),
      route.path,
    );
    expect(call.path).toBe(path);
    const query: Record<string, unknown> = 'query' in route ? route.query : {};
    for (const parameter of Object.keys(call.query))
      expect(Object.keys(query)).toContain(parameter);
    expect(call.headers['authorization']).toBe('Bearer berth_a_b');
    const headers: readonly string[] = 'headers' in route ? route.headers : [];
    if (headers.includes('Idempotency-Key'))
      expect(call.headers['idempotency-key']).toBe('fresh-id');
    if (headers.includes('If-Match')) expect(call.headers['if-match']).toBe('"3"');
  },
);

test('a refusal of the table is a Problem with its code, fields and decision', async () => {
  const decision = { optionId: 'yes', by: { id, name: 'Ada' }, at: '2026-11-22T10:00:00.000Z' };
  const { client } = recorded(() => refusal('already-decided', 409, { decision, requestId: 'r1' }));
  const error: unknown = await client.approvals.get(id).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(Problem);
  expect(error).toMatchObject({
    code: 'already-decided',
    detail: 'why',
    extra: { decision },
    cause: { requestId: 'r1' },
  });
  expect(codeOf(error)).toBe('already-decided');
});

test('what this build does not know stays readable', async () => {
  const newer = await recorded(() => refusal('moon-phase-wrong', 409))
    .client.me()
    .catch((error: unknown) => error);
  expect(newer).toMatchObject({ code: 'moon-phase-wrong', status: 409, detail: 'why' });
  const page = await recorded(() => new Response('<html>', { status: 404 }))
    .client.me()
    .catch((error: unknown) => error);
  expect(codeOf(page)).toBe('http-404');
  await expect(recorded(() => json({ id: 1 })).client.me()).rejects.toBeInstanceOf(
    AnswerNotUnderstood,
  );
  await expect(recorded(() => new Response('hello')).client.me()).rejects.toBeInstanceOf(
    AnswerNotUnderstood,
  );
});

test('a refusal is told by its own sentence; only a request that does not fit by the field that does not', () => {
  const errors = [{ pointer: '/harness', detail: 'is required' }];
  const known = 'There is no harness "x"; known: codex.';
  expect(explain(new Problem('harness-unknown', known, { errors }))).toBe(known);
  const unfit = new Problem('invalid-request', 'The body does not fit.', { errors });
  expect(explain(unfit)).toBe('/harness: is required');
});

test('nobody there is ServerUnreachable, in words for a person; a proxy without its server too', async () => {
  const client = createClient({ url: 'http://127.0.0.1:2' });
  const error: unknown = await client.meta().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ServerUnreachable);
  expect(explain(error)).toContain('ECONNREFUSED');
  await expect(
    recorded(() => new Response('bad gateway', { status: 502 })).client.me(),
  ).rejects.toBeInstanceOf(ServerUnreachable);
});

test('an abort is an abort, not an unreachable server', async () => {
  const client = createClient({ url: 'http://127.0.0.1:2' });
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(client.meta({ signal })).rejects.toThrow('enough');
});

test('markRead looks the version up again when somebody was faster', async () => {
  const versions: string[] = [];
  let current = 5;
  const session = {
    id,
    agentId: id,
    agentName: 'a',
    title: 't',
    status: 'idle',
    statusSince: '2026-11-22T10:00:00.000Z',
    sandbox: { driver: 'local', phase: 'ready', isolated: true },
    queued: 0,
    waitingApprovals: 0,
    unreadSeq: 0,
    lastSeq: 9,
    mode: 'ask',
    holder: 'chat',
    usage: { inputTokens: 0, outputTokens: 0, costUsd: '0' },
    createdBy: { id, name: 'x' },
    createdAt: '2026-11-22T10:00:00.000Z',
    lastActivityAt: '2026-11-22T10:00:00.000Z',
    aFieldOfLater: true,
  };
  const { client } = recorded((call) => {
    if (call.method === 'GET') return json({ ...session, version: (current += 1) });
    versions.push(call.headers['if-match']!);
    return versions.length < 3 ? refusal('version-stale', 412) : json({ ...session, version: 8 });
  });
  await expect(client.sessions.markRead(id, 9, { version: 5 })).resolves.toMatchObject({
    version: 8,
  });
  expect(versions).toEqual(['"5"', '"6"', '"7"']);
});

test('events: kinds of a newer server are left out, the page says what it covers', async () => {
  const event = (seq: number, kind: string, payload: object) => ({
    sessionId: id,
    seq,
    at: '2026-11-22T10:00:00.000Z',
    kind,
    payload,
  });
  const { client } = recorded(() =>
    json({
      items: [event(4, 'notice', { code: 'c', text: 't' }), event(6, 'aurora', { x: 1 })],
      lastSeq: 9,
    }),
  );
  const page = await client.sessions.events(id, { after: 3 });
  expect(page.items.map((item) => item.seq)).toEqual([4]);
  expect(page).toMatchObject({ lastSeq: 9, from: 4, to: 6 });
});

test('an etag comes without quotes and goes back as it came', async () => {
  const { client, seen } = recorded((call) =>
    call.method === 'GET'
      ? new Response('text', { headers: { etag: '"abc"', 'content-length': '4' } })
      : json({ etag: 'def' }),
  );
  const file = await client.files.read(id, 'a.txt');
  expect(file).toMatchObject({ etag: 'abc', sizeBytes: 4 });
  expect(await file.text()).toBe('text');
  const bytes = new Uint8Array([1]);
  expect(await client.files.write(id, 'a.txt', bytes, { ifMatch: file.etag })).toEqual({
    etag: 'def',
  });
  expect(seen[1]!.headers['if-match']).toBe('"abc"');
});

test('everything reads page after page', async () => {
  const pages = [
    { items: [1, 2], nextCursor: 'a' },
    { items: [3], nextCursor: null },
  ];
  const cursors: (string | undefined)[] = [];
  const all: number[] = [];
  for await (const item of everything(async ({ cursor }: { cursor?: string }) => {
    cursors.push(cursor);
    return pages[cursors.length - 1]!;
  }))
    all.push(item);
  expect(all).toEqual([1, 2, 3]);
  expect(cursors).toEqual([undefined, 'a']);
});
