import { describe, expect, test } from 'vitest';
import { createIds } from '../ids.ts';
import { testDatabase } from '../store/testing/index.ts';
import { createIdentity } from './identity.ts';

async function setUp() {
  const db = await testDatabase();
  const time = { ms: Date.parse('2026-11-22T12:00:00.000Z') };
  const clock = { now: () => time.ms };
  const identity = createIdentity({ sql: db.pool, clock, newId: createIds(clock) });
  const owner = await identity.ensureOwner({ user: 'Ada', team: 'Harbour' });
  return {
    db,
    time,
    identity,
    owner,
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  };
}

describe('the owner', () => {
  test('is made once', async () => {
    await using at = await setUp();
    const again = await at.identity.ensureOwner({ user: 'Eve', team: 'Other' });
    expect(again).toEqual(at.owner);
    expect(at.owner).toMatchObject({ userName: 'Ada', role: 'owner', scopes: ['*'] });
    expect(await at.identity.me(at.owner)).toMatchObject({
      name: 'Ada',
      team: { name: 'Harbour' },
      teams: [{ name: 'Harbour', role: 'owner' }],
    });
  });

  test('keeps the local token while it is good, and a new one ends the old one', async () => {
    await using at = await setUp();
    const first = await at.identity.localToken(at.owner);
    expect(await at.identity.localToken(at.owner, first)).toBe(first);
    const second = await at.identity.localToken(at.owner, 'berth_0000000000_nonsense');
    expect(second).not.toBe(first);
    expect(await at.identity.byToken(first)).toBeNull();
    expect(await at.identity.byToken(second)).toMatchObject({ userId: at.owner.userId });
  });
});

describe('tokens', () => {
  test('the database holds no secret', async () => {
    await using at = await setUp();
    const made = await at.identity.createToken(at.owner, { name: 'laptop', scopes: ['*'] });
    const secret = made.token.slice(-32);
    const { rows } = await at.db.pool.query<{ row: string }>(
      'select row_to_json(api_token)::text as row from api_token',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toContain(secret);
    expect(await at.identity.byToken(made.token)).toMatchObject({ userName: 'Ada' });
  });

  test('another secret, a revoked and an expired one are refused', async () => {
    await using at = await setUp();
    const { identity, owner } = at;
    const token = await identity.createToken(owner, {
      name: 'short',
      scopes: ['read'],
      expiresInMs: 60_000,
    });
    const forged = token.token.slice(0, -1) + (token.token.endsWith('a') ? 'b' : 'a');
    expect(await identity.byToken(forged)).toBeNull();
    expect(await identity.byToken(token.token)).toMatchObject({ scopes: ['read'] });
    at.time.ms += 60_000;
    expect(await identity.byToken(token.token)).toBeNull();

    const other = await identity.createToken(owner, { name: 'other', scopes: ['*'] });
    await identity.revokeToken(owner, other.id);
    expect(await identity.byToken(other.token)).toBeNull();
    await expect(identity.revokeToken(owner, other.id)).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('last use is written at most once a minute', async () => {
    await using at = await setUp();
    const { token } = await at.identity.createToken(at.owner, { name: 'laptop', scopes: ['*'] });
    const lastUsed = async () => (await at.identity.listTokens(at.owner))[0]?.lastUsedAt;
    expect(await lastUsed()).toBeUndefined();
    await at.identity.byToken(token);
    expect(await lastUsed()).toBe('2026-11-22T12:00:00.000Z');
    at.time.ms += 59_000;
    await at.identity.byToken(token);
    expect(await lastUsed()).toBe('2026-11-22T12:00:00.000Z');
    at.time.ms += 1_000;
    await at.identity.byToken(token);
    expect(await lastUsed()).toBe('2026-11-22T12:01:00.000Z');
  });

  test('give no more than the token that asks for them has', async () => {
    await using at = await setUp();
    const narrow = { ...at.owner, scopes: ['sessions', 'tokens'] };
    await expect(
      at.identity.createToken(narrow, { name: 'wide', scopes: ['agents'] }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    await expect(at.identity.createSignInLink(narrow, 'http://127.0.0.1')).rejects.toMatchObject({
      code: 'forbidden',
    });
    const made = await at.identity.createToken(narrow, { name: 'same', scopes: ['sessions'] });
    expect(made.scopes).toEqual(['sessions']);
  });

  test('end with the membership', async () => {
    await using at = await setUp();
    const { token } = await at.identity.createToken(at.owner, { name: 'laptop', scopes: ['*'] });
    await at.db.pool.query('delete from membership');
    expect(await at.identity.byToken(token)).toBeNull();
    expect(await at.identity.refresh(at.owner)).toBeNull();
  });
});

describe('one-time secrets', () => {
  test('a ticket opens one socket of its kind, once, for 30 seconds', async () => {
    await using at = await setUp();
    const { identity, owner } = at;
    const ticket = await identity.createTicket(owner, 'channels');
    expect(ticket.expiresAt).toBe('2026-11-22T12:00:30.000Z');
    expect(await identity.redeemTicket(ticket.ticket, 'channels')).toMatchObject({
      userId: owner.userId,
    });
    expect(await identity.redeemTicket(ticket.ticket, 'channels')).toBeNull();

    const wrong = await identity.createTicket(owner, 'channels');
    expect(await identity.redeemTicket(wrong.ticket, 'terminal')).toBeNull();
    expect(await identity.redeemTicket(wrong.ticket, 'channels')).toBeNull();

    const bound = await identity.createTicket(owner, 'terminal', 'a');
    expect(await identity.redeemTicket(bound.ticket, 'terminal', 'b')).toBeNull();
    const late = await identity.createTicket(owner, 'terminal', 'a');
    at.time.ms += 30_000;
    expect(await identity.redeemTicket(late.ticket, 'terminal', 'a')).toBeNull();
  });

  test('of two that show a ticket at once, one gets in', async () => {
    await using at = await setUp();
    const { ticket } = await at.identity.createTicket(at.owner, 'channels');
    const both = await Promise.all([
      at.identity.redeemTicket(ticket, 'channels'),
      at.identity.redeemTicket(ticket, 'channels'),
    ]);
    expect(both.filter((actor) => actor !== null)).toHaveLength(1);
  });

  test('a sign-in link becomes a browser session, once, and ends with signing out', async () => {
    await using at = await setUp();
    const { identity, owner } = at;
    const link = await identity.createSignInLink(owner, 'http://127.0.0.1:3000', '/#/sessions');
    const secret = link.url.split('/').at(-1) ?? '';
    expect(link.url).toBe(`http://127.0.0.1:3000/sign-in/${secret}`);
    const session = await identity.signIn(secret);
    expect(session).toMatchObject({ path: '/#/sessions' });
    expect(await identity.signIn(secret)).toBeNull();
    const cookie = session?.cookie ?? '';
    expect(await identity.byCookie(cookie)).toMatchObject({ userId: owner.userId });
    await identity.signOut(cookie);
    expect(await identity.byCookie(cookie)).toBeNull();
  });

  test('links and sessions that are too old are refused, and swept', async () => {
    await using at = await setUp();
    const { identity, owner, db } = at;
    const kept = await identity.createSignInLink(owner, 'http://127.0.0.1');
    const session = await identity.signIn(kept.url.split('/').at(-1) ?? '');
    const late = await identity.createSignInLink(owner, 'http://127.0.0.1');
    at.time.ms += 300_000;
    expect(await identity.signIn(late.url.split('/').at(-1) ?? '')).toBeNull();
    await identity.createTicket(owner, 'channels');
    at.time.ms += 31 * 86_400_000;
    expect(await identity.byCookie(session?.cookie ?? '')).toBeNull();
    await identity.sweep();
    const { rows } = await db.pool.query<{ n: string }>(
      'select (select count(*) from one_time) + (select count(*) from web_session) as n',
    );
    expect(rows[0]?.n).toBe('0');
  });
});
