import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answered, SetUp } from './testing/set-up.ts';
import { setUp } from './testing/set-up.ts';

let at: SetUp;
beforeAll(async () => {
  at = await setUp();
});
afterAll(() => at[Symbol.asyncDispose]());

const code = (answer: Answered) => answer.json['code'];
const input = { name: 'Ada', harness: 'rehearsal' };
const newSession = async (): Promise<string> => {
  const made = await at.call('POST', '/api/v1/sessions', { body: { agentId: at.agentId } });
  expect(made.status).toBe(201);
  return String(made.json['id']);
};
const textPrompt = [{ type: 'text', text: 'hello' }];

describe('agents over HTTP', () => {
  test('live from 201 to 204, with their version as ETag', async () => {
    const made = await at.call('POST', '/api/v1/agents', { body: input });
    expect(made.status).toBe(201);
    const place = made.headers.get('location') ?? '';
    expect(place).toBe(`/api/v1/agents/${String(made.json['id'])}`);
    expect(made.headers.get('etag')).toBe('"1"');

    const without = await at.call('PATCH', place, { body: { name: 'Grace' } });
    expect([without.status, code(without)]).toEqual([428, 'precondition-required']);
    const headers = { 'if-match': '"1"' };
    const patched = await at.call('PATCH', place, { body: { name: 'Grace' }, headers });
    expect([patched.status, patched.headers.get('etag')]).toEqual([200, '"2"']);
    const stale = await at.call('PATCH', place, { body: { name: 'late' }, headers });
    expect([stale.status, code(stale)]).toEqual([412, 'version-stale']);

    const got = await at.call('GET', place, { headers: { 'if-none-match': '"2"' } });
    expect([got.status, got.json['name']]).toEqual([200, 'Grace']);
    const head = await at.call('HEAD', place);
    expect([head.status, head.text, head.headers.get('etag')]).toEqual([200, '', '"2"']);
    expect((await at.call('DELETE', place)).status).toBe(204);
    expect((await at.call('GET', place)).status).toBe(404);
  });

  test('faults are all named, by pointer', async () => {
    const body = { name: '', harness: 'rehearsal', env: { 'a b': 'c' }, mode: 'wild', x: 1 };
    const answer = await at.call('POST', '/api/v1/agents', { body });
    expect(answer.status).toBe(400);
    const pointers = (answer.json['errors'] as { pointer: string }[]).map((each) => each.pointer);
    expect(pointers.sort()).toEqual(['/env/a b', '/mode', '/name', '/x']);
  });

  test.each([
    [{ ...input, name: 'a\u0000b' }, 400],
    [{ ...input, name: '\ud800' }, 201],
    [{ ...input, instructions: 'a\u0000' }, 400],
    [{ ...input, repository: { url: 'http://example.com/a' } }, 400],
    [{ ...input, repository: { url: 'https://user@example.com/a' } }, 400],
    [{ ...input, egress: { allow: ['https://x.com'] } }, 400],
    [{ ...input, env: { __proto__x: 'a' } }, 201],
    [{ ...input, idleSuspendMs: 1e300 }, 400],
    [{ ...input, harness: 'nope' }, 422],
    [{ ...input, harness: 'codex' }, 422],
  ])('%j gives %s', async (body, status) => {
    expect((await at.call('POST', '/api/v1/agents', { body })).status).toBe(status);
  });
});

describe('idempotency keys', () => {
  const post = (key: string, body: unknown, token?: string) =>
    at.call('POST', '/api/v1/agents', {
      body,
      headers: { 'idempotency-key': key },
      ...(token === undefined ? {} : { token }),
    });

  test('the same request gets the first answer again, another one is refused', async () => {
    const key = crypto.randomUUID();
    const first = await post(key, input);
    const again = await post(key.toUpperCase(), input);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect([again.status, again.json]).toEqual([201, first.json]);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(again.headers.get('etag')).toBe('"1"');
    const other = await post(key, { ...input, name: 'other' });
    expect([other.status, code(other)]).toEqual([422, 'idempotency-key-reused']);
    const elsewhere = await at.call('POST', '/api/v1/sessions', {
      body: { agentId: at.agentId },
      headers: { 'idempotency-key': key },
    });
    expect(code(elsewhere)).toBe('idempotency-key-reused');
  });

  test('of ten at once one creates, and all get its answer', async () => {
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(key, input)));
    expect(new Set(answers.map((each) => each.json['id'])).size).toBe(1);
    const replayed = answers.filter((each) => each.headers.has('idempotent-replayed'));
    expect(replayed).toHaveLength(9);
  });

  test('a refused request keeps no key, and a key is one person’s', async () => {
    const key = crypto.randomUUID();
    expect((await post(key, { ...input, harness: 'nope' })).status).toBe(422);
    const good = await post(key, input);
    expect(good.status).toBe(201);
    const eve = await at.stranger();
    const hers = await post(key, input, eve.token);
    expect(hers.status).toBe(201);
    expect(hers.json['id']).not.toBe(good.json['id']);
  });

  test('a key that is no UUID is refused', async () => {
    const answer = await post('nonsense', input);
    expect(answer.json['errors']).toEqual([
      { pointer: 'Idempotency-Key', detail: 'must be a UUID' },
    ]);
  });

  test('a first request that died frees its key after a minute, not before', async () => {
    const key = crypto.randomUUID();
    const first = await post(key, input);
    await at.db.pool.query(
      `update idempotency_key set status = null, created_at = now() - interval '61 seconds'
        where key = $1`,
      [key],
    );
    const again = await post(key, input);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, null]);
    // It came as far as creating: what it created is what the second one answers.
    expect(again.json['id']).toBe(first.json['id']);
  });

  test.each<[string, (key: string) => Promise<{ status: number; json: Record<string, unknown> }>]>([
    [
      'session',
      (key) =>
        at.call('POST', '/api/v1/sessions', {
          body: { agentId: at.agentId, prompt: [{ type: 'text', text: 'once' }] },
          headers: { 'idempotency-key': key },
        }),
    ],
    ['agent', (key) => post(key, input)],
  ])(
    'a process that dies between a %s and its answer creates no second one',
    async (_what, create) => {
      const key = crypto.randomUUID();
      const count = async (table: string) =>
        (await at.db.pool.query<{ n: number }>(`select count(1)::int as n from ${table}`)).rows[0]
          ?.n;
      const first = await create(key);
      const before = [await count('session'), await count('agent'), await count('turn')];
      // As if it had been killed right after the rows were committed: its key has no answer, and nobody knows whether it still runs.
      await at.db.pool.query(
        `update idempotency_key set status = null, headers = null, body = null, created_at = now() - interval '61 seconds' where key = $1`,
        [key],
      );
      const again = await create(key);
      expect([again.status, again.json['id']]).toEqual([201, first.json['id']]);
      expect([await count('session'), await count('agent'), await count('turn')]).toEqual(before);
    },
  );

  test('when the database goes away in the middle, whoever asks again goes on at once, with the same id', async () => {
    const key = crypto.randomUUID();
    await at.db.pool.query(`create function lost() returns trigger language plpgsql as
      $$ begin raise exception 'the reply is lost' using errcode = '57P01'; end $$`);
    await at.db.pool.query(
      `create trigger dies before update of status on idempotency_key for each row when (new.status is not null) execute function lost()`,
    );
    expect((await post(key, input)).status).toBe(503);
    await at.db.pool.query(`drop trigger dies on idempotency_key`);
    const { rows } = await at.db.pool.query<{ created_id: string }>(
      `select created_id from idempotency_key where key = $1`,
      [key],
    );
    const again = await post(key, input);
    expect([again.status, again.json['id']]).toEqual([201, rows[0]?.created_id]);
  });
});

describe('sign-in', () => {
  const linkOf = async (body?: unknown) => {
    const made = await at.call('POST', '/api/v1/sign-in-links', {
      ...(body === undefined ? {} : { body }),
    });
    expect(made.status).toBe(201);
    return new URL(String(made.json['url']));
  };
  const signIn = async (): Promise<string> => {
    const link = await linkOf();
    const answer = await at.call('GET', link.pathname, { token: null });
    return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  };

  test('a link signs a browser in once, and shows the dashboard', async () => {
    const link = await linkOf({ path: '/#/sessions/1' });
    expect(link.origin).toBe(at.url);
    const answer = await at.call('GET', link.pathname, { token: null });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/#/sessions/1']);
    const set = answer.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^berth_session=[0-9A-Za-z]{32}; Max-Age=2592000; Path=\/; /);
    expect(set).toContain('HttpOnly');
    expect(set).toContain('SameSite=Lax');
    expect((await at.call('GET', link.pathname, { token: null })).status).toBe(401);

    const cookie = set.split(';')[0] ?? '';
    const page = await at.call('GET', '/', { headers: { cookie } });
    expect(page.status).toBe(200);
    expect(page.text).toContain('data-berth-host="browser"');
    const policy = page.headers.get('content-security-policy') ?? '';
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? 'none';
    expect(page.text).toContain(`nonce="${nonce}" src="/assets/app.js"`);
    // Attributes of style load and run nothing; the terminal's colours need them.
    expect(policy.replace("style-src-attr 'unsafe-inline'", '')).not.toContain('unsafe');
    const other = await at.call('GET', '/', { headers: { cookie } });
    expect(other.text).not.toContain(nonce);
    expect((await at.call('GET', '/', { token: null })).status).toBe(401);
  });

  test.each(['//evil.com', 'https://evil.com', '/\\evil.com', '/\u0000', 'x'])(
    'a link to %j is refused',
    async (place) => {
      const made = await at.call('POST', '/api/v1/sign-in-links', { body: { path: place } });
      expect(made.status).toBe(400);
    },
  );

  test('a cookie changes things only from our own pages', async () => {
    const cookie = await signIn();
    const post = (headers: Record<string, string>) =>
      at.call('POST', '/api/v1/agents', { body: input, headers: { cookie, ...headers } });
    expect((await at.call('GET', '/api/v1/me', { headers: { cookie } })).status).toBe(200);
    for (const headers of [
      {},
      { origin: 'http://evil.com' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { origin: at.url, 'sec-fetch-site': 'cross-site' },
      { origin: at.url, 'sec-fetch-site': 'same-site' },
    ]) {
      const answer = await post(headers);
      expect([answer.status, code(answer)]).toEqual([403, 'origin-refused']);
    }
    expect((await post({ origin: at.url })).status).toBe(201);
    expect((await post({ origin: at.url, 'sec-fetch-site': 'same-origin' })).status).toBe(201);
    const link = await at.call('POST', '/api/v1/sign-in-links', {
      headers: { cookie, origin: at.url },
    });
    expect(code(link)).toBe('forbidden');
  });

  test('signing out ends the browser’s session', async () => {
    const cookie = await signIn();
    const headers = { cookie, origin: at.url };
    expect((await at.call('POST', '/api/v1/sign-out', { headers })).status).toBe(204);
    expect((await at.call('GET', '/api/v1/me', { headers })).status).toBe(401);
  });

  test('tokens are made, listed without their secret, and revoked', async () => {
    const made = await at.call('POST', '/api/v1/tokens', {
      body: { name: 'ci', scopes: ['read'] },
    });
    const token = String(made.json['token']);
    expect((await at.call('GET', '/api/v1/me', { token })).json['scopes']).toEqual(['read']);
    const list = await at.call('GET', '/api/v1/tokens');
    expect(list.text).toContain(String(made.json['id']));
    expect(list.text).not.toContain(token);
    const place = `/api/v1/tokens/${String(made.json['id'])}`;
    expect((await at.call('DELETE', place)).status).toBe(204);
    expect((await at.call('GET', '/api/v1/me', { token })).status).toBe(401);
    expect((await at.call('DELETE', place)).status).toBe(404);
  });
});

test('too many failed sign-ins are held back, good ones never', async () => {
  await using other = await setUp();
  const statuses = new Set<number>();
  let retryAfter: string | null = null;
  for (let n = 0; n < 25; n++) {
    const answer = await other.call('GET', '/api/v1/me', { token: 'berth_nonsense' });
    statuses.add(answer.status);
    retryAfter = answer.headers.get('retry-after');
  }
  expect([...statuses]).toEqual([401, 429]);
  expect(Number(retryAfter)).toBeGreaterThan(0);
  expect((await other.call('GET', '/api/v1/me')).status).toBe(200);
});

test('another name of this address is refused', async () => {
  const { port } = new URL(at.url);
  const ask = (host: string, path: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1');
      let got = '';
      socket.on('data', (chunk) => (got += chunk.toString()));
      socket.on('close', () => resolve(got.split('\r\n')[0] ?? ''));
      socket.end(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
  expect(await ask('evil.com', '/api/v1/meta')).toContain('421');
  expect(await ask('evil.com', '/')).toContain('421');
  expect(await ask('evil.com', '/healthz')).toContain('421');
  expect(await ask(`10.0.0.1:${port}`, '/healthz')).toContain('200');
  expect(await ask(`localhost:${port}`, '/api/v1/meta')).toContain('200');
});

describe('turns', () => {
  test('the id makes it the same turn', async () => {
    const place = `/api/v1/sessions/${await newSession()}/turns`;
    const body = { id: crypto.randomUUID(), prompt: textPrompt };
    const first = await at.call('POST', place, { body });
    expect([first.status, first.headers.get('location')]).toEqual([201, `${place}/${body.id}`]);
    expect((await at.call('POST', place, { body })).status).toBe(200);
  });

  test('Prefer: wait answers with the reply, or 202', async () => {
    const sessionId = await newSession();
    const place = `/api/v1/sessions/${sessionId}/turns`;
    const body = { id: crypto.randomUUID(), prompt: textPrompt };
    await at.script.ready(sessionId);
    const late = await at.call('POST', place, { body, headers: { prefer: 'wait=0' } });
    expect(late.status).toBe(202);
    expect(late.headers.get('preference-applied')).toBe('wait=0');
    const headers = { prefer: 'wait=30', 'idempotency-key': crypto.randomUUID() };
    const pending = at.call('POST', place, { body, headers });
    await at.script.endTurn(sessionId, body.id, 'all text');
    const ended = await pending;
    expect([ended.status, ended.json['reply']]).toEqual([200, 'all text']);
  });

  test('20 MiB of prompt pass, more does not', async () => {
    const place = `/api/v1/sessions/${await newSession()}/turns`;
    const send = (bytes: number) => {
      const data = 'A'.repeat(bytes);
      const prompt = [{ type: 'image', mimeType: 'image/png', data }];
      return at.call('POST', place, { body: { id: crypto.randomUUID(), prompt } });
    };
    expect((await send(15 * 1024 * 1024)).status).toBe(201);
    expect((await send(21 * 1024 * 1024)).status).toBe(413);
  });
});

describe('events', () => {
  test('pages go by seq, from either end', async () => {
    const id = await newSession();
    const last = await at.script.append(id, 12);
    const seqs = async (query: string) => {
      const page = await at.call('GET', `/api/v1/sessions/${id}/events${query}`);
      expect([page.status, page.json['lastSeq']]).toEqual([200, last]);
      return (page.json['items'] as { seq: number }[]).map((each) => each.seq);
    };
    expect(await seqs('')).toEqual(Array.from({ length: last }, (_, n) => n + 1));
    expect(await seqs(`?after=${last - 2}`)).toEqual([last - 1, last]);
    expect(await seqs('?before=3&limit=1')).toEqual([2]);
    expect(await seqs('?tail=2')).toEqual([last - 1, last]);
    const both = await at.call('GET', `/api/v1/sessions/${id}/events?after=1&tail=2`);
    expect(both.status).toBe(400);
  });

  test('a stream replays, goes on live, and resumes by Last-Event-ID', async () => {
    const id = await newSession();
    const last = await at.script.append(id, 3);
    const stream = async (query: string, headers: Record<string, string>) => {
      const gone = new AbortController();
      const answer = await fetch(`${at.url}/api/v1/sessions/${id}/events${query}`, {
        headers: { authorization: `Bearer ${at.token}`, accept: 'text/event-stream', ...headers },
        signal: gone.signal,
      });
      const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      return {
        answer,
        stop: () => gone.abort(),
        async until(seq: number) {
          while (!text.includes(`id: ${seq}\n`)) {
            const next = await reader?.read();
            if (next?.value === undefined) break;
            text += next.value;
          }
          return [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
        },
      };
    };
    const subscriptions = async () =>
      /^berth_session_subscriptions (\d+)/m.exec((await at.call('GET', '/metrics')).text)?.[1];
    const first = await stream(`?after=${last - 2}`, {});
    expect(first.answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await first.until(last)).toEqual([last - 1, last]);
    expect(await subscriptions()).toBe('1');
    await at.script.append(id, 1);
    expect(await first.until(last + 1)).toEqual([last - 1, last, last + 1]);
    first.stop();
    await expect.poll(subscriptions).toBe('0');
    const second = await stream('?after=1', { 'last-event-id': String(last) });
    expect(await second.until(last + 1)).toEqual([last + 1]);
    second.stop();
  });

  test('an unknown session’s stream is a problem', async () => {
    const answer = await at.call('GET', `/api/v1/sessions/${at.newId()}/events`, {
      headers: { accept: 'text/event-stream' },
    });
    expect([answer.status, code(answer)]).toEqual([404, 'not-found']);
  });

  test('a blob is never a page of ours', async () => {
    const id = await newSession();
    const keep = async (type: string) => {
      const blobId = at.newId();
      await at.db.pool.query(
        `insert into session_blob (id, team_id, session_id, media_type, bytes)
         values ($1, $2, $3, $4, $5)`,
        [blobId, at.owner.teamId, id, type, Buffer.from('<script>')],
      );
      return at.call('GET', `/api/v1/sessions/${id}/blobs/${blobId}`);
    };
    const page = await keep('text/html');
    expect([page.status, page.text]).toEqual([200, '<script>']);
    expect(page.headers.get('content-type')).toBe('application/octet-stream');
    expect(page.headers.get('content-disposition')).toBe('attachment');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.headers.get('content-security-policy')).toContain('sandbox');
    expect((await keep('text/plain')).headers.get('content-type')).toContain('text/plain');
  });

  test('export is Markdown, or JSON when asked', async () => {
    const id = await newSession();
    const last = await at.script.append(id, 1500);
    const text = await at.call('GET', `/api/v1/sessions/${id}/export`);
    expect(text.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    expect(text.text).toMatch(/^# /);
    const whole = await at.call('GET', `/api/v1/sessions/${id}/export`, {
      headers: { accept: 'application/json' },
    });
    expect(whole.json).toMatchObject({ session: { id }, turns: [] });
    expect(whole.json['events']).toHaveLength(last);
  });
});

describe('the workspace', () => {
  test('files go in and out as bytes, guarded by their tag', async () => {
    const place = `/api/v1/sessions/${await newSession()}/files/content?path=a.html`;
    const bytes = new Uint8Array([0, 255, 10, 13]);
    const type = { 'content-type': 'application/octet-stream' };
    const put = await at.call('PUT', place, { body: bytes, headers: type });
    expect([put.status, put.headers.get('etag')]).toEqual([200, '"e2"']);
    const stale = await at.call('PUT', place, {
      body: bytes,
      headers: { ...type, 'if-match': '"e0"' },
    });
    expect(stale.status).toBe(412);
    const got = await fetch(at.url + place, { headers: { authorization: `Bearer ${at.token}` } });
    expect(new Uint8Array(await got.arrayBuffer())).toEqual(bytes);
    expect(got.headers.get('etag')).toBe('"e1"');
    expect(got.headers.get('content-type')).toBe('application/octet-stream');
    expect(got.headers.get('content-disposition')).toBe('attachment');
    const head = await at.call('HEAD', place);
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '4']);
    const outside = await at.call('GET', place.replace('a.html', '..%2Fx'));
    expect([outside.status, code(outside)]).toEqual([403, 'outside-workspace']);
    expect(outside.headers.get('etag')).toBeNull();
  });

  test('a download that the client gives up is no fault of the server', async () => {
    const place = `/api/v1/sessions/${await newSession()}/files/content?path=big`;
    at.workspaces.files.set('big', Buffer.alloc(64 * 1024 * 1024));
    const gone = new AbortController();
    const answer = await fetch(at.url + place, {
      headers: { authorization: `Bearer ${at.token}` },
      signal: gone.signal,
    });
    const requestId = answer.headers.get('x-request-id') ?? 'none';
    gone.abort();
    const about = () => at.lines.filter((line) => line.includes(requestId));
    await expect.poll(() => about().some((line) => line.includes('"msg":"request"'))).toBe(true);
    expect(about().filter((line) => line.includes('"level":50'))).toEqual([]);
    at.workspaces.files.delete('big');
  });

  test('an archive is streamed, and is not nothing', async () => {
    const place = `/api/v1/sessions/${await newSession()}/files/archive?overwrite=true`;
    const answer = await at.call('PUT', place, {
      body: new Uint8Array(30 * 1024 * 1024),
      headers: { 'content-type': 'application/x-tar' },
    });
    expect(answer.status).toBe(204);
    expect((await at.call('PUT', place)).status).toBe(400);
    expect(at.workspaces.archives.at(-1)).toEqual({ bytes: 30 * 1024 * 1024, overwrite: true });
  });

  test('diff, patch and logs', async () => {
    const place = `/api/v1/sessions/${await newSession()}`;
    expect((await at.call('GET', `${place}/changes/diff?path=a`)).text).toBe('diff a\n');
    const patch = await at.call('GET', `${place}/changes/patch`);
    expect([patch.text, patch.headers.get('content-type')]).toEqual([
      'diff all\n',
      'text/x-diff; charset=utf-8',
    ]);
    expect((await at.call('GET', `${place}/logs?source=runner&tail=3`)).json).toEqual({
      source: 'runner',
      lines: ['tail 3'],
    });
  });
});

test('nothing of all this was logged as a fault', () => {
  expect(at.lines.filter((line) => line.includes('"level":50'))).toEqual([]);
});

test('health, readiness and metrics', async () => {
  expect((await at.call('GET', '/readyz', { token: null })).status).toBe(200);
  at.reasons.push('the database is away');
  const not = await at.call('GET', '/readyz', { token: null });
  at.reasons.pop();
  expect([not.status, not.json['detail']]).toEqual([503, 'Not ready: the database is away.']);
  const metrics = await at.call('GET', '/metrics', { token: null });
  expect(metrics.text).toContain('berth_http_request_seconds_bucket');
  expect(metrics.text).toContain('route="/readyz"');
});

test('assets and the gateway are mounted beside the API', async () => {
  const asset = await at.call('GET', '/assets/app.js', { token: null });
  expect([asset.status, asset.text]).toEqual([200, 'export {};\n']);
  expect((await at.call('GET', '/assets/../package.json', { token: null })).status).toBe(404);
  expect((await at.call('GET', '/assets/%2e%2e%2fx', { token: null })).status).toBe(404);
  expect((await at.call('POST', '/gateway/openai/v1/x')).text).toBe('gateway /openai/v1/x');
  expect((await at.call('GET', '/api/v1/agents/')).status).toBe(404);
});

test('draining lets a request end that runs, and takes no other', async () => {
  await using other = await setUp();
  const { agentId } = other;
  const made = await other.call('POST', '/api/v1/sessions', { body: { agentId } });
  const place = `/api/v1/sessions/${String(made.json['id'])}`;
  const body = { id: crypto.randomUUID(), prompt: textPrompt };
  const waiting = other.call('POST', `${place}/turns`, { body, headers: { prefer: 'wait=60' } });
  await expect
    .poll(async () => (await other.call('GET', `${place}/turns/${body.id}`)).status)
    .toBe(200);
  const stream = fetch(`${other.url}${place}/events`, {
    headers: { authorization: `Bearer ${other.token}`, accept: 'text/event-stream' },
  });
  const streaming = await stream;
  await other.web.drain(5_000);
  expect((await waiting).status).toBe(202);
  expect(await streaming.text()).not.toContain('data:');
  await expect(fetch(`${other.url}/healthz`)).rejects.toThrow();
});
