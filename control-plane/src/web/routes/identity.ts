import type { Identity } from '../../identity/index.ts';
import { empty, json } from '../answer.ts';
import { cookieName, cookieOf } from '../auth.ts';
import type { Hosts } from '../hosts.ts';
import type { Mount } from '../mount.ts';

// Secrets stay out of caches on the way.
const secret = { 'Cache-Control': 'no-store' };

export function mountIdentity(
  mount: Mount,
  { identity, hosts }: { identity: Identity; hosts: Hosts },
): void {
  mount('getMe', async ({ actor }) => json(200, await identity.me(actor)));

  mount('createTicket', async ({ actor, body }) => {
    const terminalId = body.for === 'terminal' ? body.terminalId : undefined;
    return json(201, await identity.createTicket(actor, body.for, terminalId), secret);
  });

  mount('createSignInLink', async ({ actor, body, request }) => {
    const baseUrl = hosts.baseUrl(request.headers.host);
    return json(201, await identity.createSignInLink(actor, baseUrl, body?.path), secret);
  });

  mount('signOut', async ({ request }) => {
    const cookie = cookieOf(request.headers.cookie);
    if (cookie !== undefined) await identity.signOut(cookie);
    return { ...empty, headers: { 'Set-Cookie': `${cookieName}=; Path=/; Max-Age=0` } };
  });

  mount('listTokens', async ({ actor }) => json(200, { items: await identity.listTokens(actor) }));
  mount('createToken', async ({ actor, body }) =>
    json(201, await identity.createToken(actor, body), secret),
  );
  mount('revokeToken', async ({ actor, params }) => {
    await identity.revokeToken(actor, params.tokenId);
    return empty;
  });
}
