import type { IncomingMessage } from 'node:http';
import { Problem } from '@berth/contract';
import type { Clock } from '../clock.ts';
import type { Actor, Identity, TicketPurpose } from '../identity/index.ts';
import type { Hosts } from './hosts.ts';
import type { Sql } from './idempotency.store.ts';
import { Refusal } from './refusals.ts';
import { createSignInLimit } from './sign-in-limit.ts';

export const cookieName = 'berth_session';
export interface SignedIn {
  actor: Actor;
  via: 'bearer' | 'cookie' | 'ticket';
  /** The same person, asked again; null: they may no longer be here. */
  again(): Promise<Actor | null>;
}

export function cookieOf(header: string | undefined): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const [name, value] = part.split('=', 2);
    if (name?.trim() === cookieName) return value?.trim();
  }
  return undefined;
}
const bearerOf = (header: string | undefined): string | undefined =>
  /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];

export type Auth = ReturnType<typeof createAuth>;

export function createAuth({
  identity,
  hosts,
  clock,
  sql,
}: {
  sql: Sql;
  identity: Identity;
  hosts: Hosts;
  clock: Clock;
}) {
  const signIns = createSignInLimit({ sql, clock });

  async function refuse(request: IncomingMessage, detail: string): Promise<never> {
    const wait = await signIns.failed(request.socket.remoteAddress ?? '');
    if (wait === null) throw new Problem('not-signed-in', detail);
    throw new Refusal('too-many-requests', 'Too many failed sign-ins from this address.', {
      'Retry-After': String(Math.ceil(wait.retryAfterMs / 1000)),
    });
  }

  async function bySecret(
    request: IncomingMessage,
    via: SignedIn['via'],
    again: () => Promise<Actor | null>,
  ): Promise<SignedIn> {
    const actor = await again();
    if (actor === null) return refuse(request, 'This sign-in is not, or no longer, good.');
    return { actor, via, again };
  }

  async function byHeaders(request: IncomingMessage): Promise<SignedIn> {
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) {
      const token = bearerOf(authorization);
      if (token === undefined) return refuse(request, 'Authorization is not a bearer token.');
      return bySecret(request, 'bearer', () => identity.byToken(token));
    }
    const secret = cookieOf(cookie);
    if (secret !== undefined) return bySecret(request, 'cookie', () => identity.byCookie(secret));
    throw new Problem('not-signed-in', 'Send a bearer token, or sign in with the browser.');
  }

  const sameSite = (request: IncomingMessage): boolean => {
    const { origin, host } = request.headers;
    const site = request.headers['sec-fetch-site'];
    return hosts.origin(origin, host) && (site === undefined || site === 'same-origin');
  };

  return {
    /** A cookie travels with requests that other sites start; so what it may change must come from our own pages. */
    async request(request: IncomingMessage): Promise<SignedIn> {
      const signedIn = await byHeaders(request);
      const safe = request.method === 'GET' || request.method === 'HEAD';
      if (signedIn.via === 'cookie' && !safe && !sameSite(request))
        throw new Problem('origin-refused', 'Only this server’s own pages may do this.');
      return signedIn;
    },

    /** Null: nobody is signed in at this browser. */
    async browser(request: IncomingMessage): Promise<Actor | null> {
      const secret = cookieOf(request.headers.cookie);
      return secret === undefined ? null : identity.byCookie(secret);
    },

    /** Browsers do not keep sockets from other sites away: whoever names an origin must name ours, and a cookie needs one. */
    socketOrigin(request: IncomingMessage): boolean {
      const { origin, authorization, cookie } = request.headers;
      if (origin !== undefined) return sameSite(request);
      return authorization !== undefined || cookieOf(cookie) === undefined;
    },

    async socket(
      request: IncomingMessage,
      purpose: TicketPurpose,
      ticket: string | null,
      subject?: string,
    ): Promise<SignedIn> {
      if (ticket === null) return byHeaders(request);
      const actor = await identity.redeemTicket(ticket, purpose, subject);
      if (actor === null) return refuse(request, 'This ticket is not, or no longer, good.');
      return { actor, via: 'ticket', again: () => identity.refresh(actor) };
    },

    failed: refuse,
    sweep: () => signIns.sweep(),
  };
}
