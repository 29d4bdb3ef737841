import type { CreatedToken, CreateToken, Me, SignInLink, Ticket, Token } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { Clock } from '../clock.ts';
import { timestamp } from '../clock.ts';
import type { NewId } from '../ids.ts';
import { isRole } from './access.ts';
import type { Actor } from './actor.ts';
import type { OwnToken, Sql } from './identity.store.ts';
import * as store from './identity.store.ts';
import { limits } from './limits.ts';
import { formatToken, hashOf, parseToken, randomText, sameHash, secretLength } from './secrets.ts';

export type TicketPurpose = 'channels' | 'terminal';
const localTokenName = 'this machine';

export type Identity = ReturnType<typeof createIdentity>;

export function createIdentity({ sql, clock, newId }: { sql: Sql; clock: Clock; newId: NewId }) {
  const now = () => new Date(clock.now());
  const later = (ms: number) => new Date(clock.now() + ms);

  async function actorOf(
    teamId: string,
    userId: string,
    scopes: readonly string[],
  ): Promise<Actor | null> {
    const row = await store.findMember(sql, teamId, userId);
    if (row === null || !isRole(row.role)) return null;
    return { userId, userName: row.user_name, teamId, role: row.role, scopes };
  }

  async function issue(
    owner: { teamId: string; userId: string },
    token: { name: string; scopes: readonly string[]; expiresAt: Date | null },
  ): Promise<{ id: string; text: string; createdAt: Date }> {
    const id = randomText(10);
    const secret = randomText(secretLength);
    const createdAt = now();
    await store.insertToken(sql, { id, ...owner, ...token, hash: hashOf(secret), createdAt });
    return { id, text: formatToken(id, secret), createdAt };
  }

  async function oneTime(
    actor: Actor,
    purpose: string,
    subject: string | null,
    lifeMs: number,
  ): Promise<{ secret: string; expiresAt: Date }> {
    const secret = randomText(secretLength);
    const expiresAt = later(lifeMs);
    await store.insertOneTime(sql, {
      hash: hashOf(secret),
      teamId: actor.teamId,
      userId: actor.userId,
      purpose,
      subject,
      scopes: actor.scopes,
      expiresAt,
    });
    return { secret, expiresAt };
  }

  async function take(secret: string, purpose: string) {
    const row = await store.takeOneTime(sql, hashOf(secret));
    if (row === null || row.purpose !== purpose) return null;
    return row.expires_at.getTime() > clock.now() ? row : null;
  }

  /** Who holds this API token; null when it is none, or not in force. */
  async function byToken(text: string): Promise<Actor | null> {
    const parsed = parseToken(text);
    if (parsed === null) return null;
    const row = await store.findToken(sql, parsed.id);
    if (row === null || !sameHash(row.hash, hashOf(parsed.secret))) return null;
    const at = clock.now();
    if (row.expires_at !== null && row.expires_at.getTime() <= at) return null;
    if (!isRole(row.role)) return null;
    const usedAt = row.last_used_at?.getTime() ?? 0;
    if (at - usedAt >= limits.lastUsedEveryMs) await store.touchToken(sql, parsed.id, now());
    return {
      userId: row.user_id,
      userName: row.user_name,
      teamId: row.team_id,
      role: row.role,
      scopes: row.scopes,
    };
  }

  return {
    /** The embedded start: one owner, one team, made once. */
    async ensureOwner(names: { user: string; team: string }): Promise<Actor> {
      await store.insertOwner(sql, {
        teamId: newId(),
        teamName: names.team,
        userId: newId(),
        userName: names.user,
        at: now(),
      });
      const owner = await store.findOwner(sql);
      const actor = owner && (await actorOf(owner.teamId, owner.userId, ['*']));
      if (actor === null) throw new Error('there is no owner after one was made');
      return actor;
    },

    /** The token that editor and command line of this machine's user read from local.json: `previous` while it is good, else a fresh one. */
    async localToken(owner: Actor, previous?: string): Promise<string> {
      if (previous !== undefined) {
        const holder = await byToken(previous);
        if (holder?.userId === owner.userId && holder.teamId === owner.teamId) return previous;
      }
      await store.revokeTokensNamed(sql, {
        teamId: owner.teamId,
        userId: owner.userId,
        name: localTokenName,
        at: now(),
      });
      const token = { name: localTokenName, scopes: ['*'], expiresAt: null };
      return (await issue(owner, token)).text;
    },

    byToken,

    /** Who sits at this browser. */
    async byCookie(secret: string): Promise<Actor | null> {
      const row = await store.findWebSession(sql, hashOf(secret), now());
      return row && (await actorOf(row.teamId, row.userId, ['*']));
    },

    /** The same person as before, as they stand now; null: no longer a member. */
    async refresh(actor: Actor): Promise<Actor | null> {
      return actorOf(actor.teamId, actor.userId, actor.scopes);
    },

    async createTicket(actor: Actor, purpose: TicketPurpose, subject?: string): Promise<Ticket> {
      const made = await oneTime(actor, purpose, subject ?? null, limits.ticketMs);
      return { ticket: made.secret, expiresAt: timestamp(made.expiresAt.getTime()) };
    },

    /** A ticket is gone once it was shown, for the right purpose or not. */
    async redeemTicket(
      secret: string,
      purpose: TicketPurpose,
      subject?: string,
    ): Promise<Actor | null> {
      const row = await take(secret, purpose);
      if (row === null || row.subject !== (subject ?? null)) return null;
      return actorOf(row.team_id, row.user_id, row.scopes);
    },

    async createSignInLink(actor: Actor, baseUrl: string, path?: string): Promise<SignInLink> {
      // A browser session has no scopes of its own, so a narrow token must not become one.
      if (!actor.scopes.includes('*'))
        throw new Problem('forbidden', 'Only a token with all scopes signs a browser in.');
      const made = await oneTime(actor, 'sign-in', path ?? null, limits.signInLinkMs);
      return {
        url: new URL(`/sign-in/${made.secret}`, baseUrl).href,
        expiresAt: timestamp(made.expiresAt.getTime()),
      };
    },

    /** Turns a sign-in link into a browser session; null when it was used or is too old. */
    async signIn(secret: string): Promise<{ cookie: string; lifeMs: number; path: string } | null> {
      const row = await take(secret, 'sign-in');
      if (row === null) return null;
      const cookie = randomText(secretLength);
      await store.insertWebSession(sql, {
        hash: hashOf(cookie),
        teamId: row.team_id,
        userId: row.user_id,
        createdAt: now(),
        expiresAt: later(limits.webSessionMs),
      });
      return { cookie, lifeMs: limits.webSessionMs, path: row.subject ?? '/' };
    },

    async signOut(cookie: string): Promise<void> {
      await store.deleteWebSession(sql, hashOf(cookie));
    },

    async me(actor: Actor): Promise<Me> {
      const teams = await store.listTeams(sql, actor.userId);
      const team = teams.find((each) => each.id === actor.teamId);
      if (team === undefined)
        throw new Problem('not-signed-in', 'No longer a member of this team.');
      return {
        id: actor.userId,
        name: actor.userName,
        team: { id: team.id, name: team.name },
        teams,
        roles: [actor.role],
        scopes: [...actor.scopes],
      };
    },

    async listTokens(actor: Actor): Promise<Token[]> {
      return (await store.listTokens(sql, actor.teamId, actor.userId, now())).map(tokenOf);
    },

    /** The new token can do no more than the one that asks for it. */
    async createToken(actor: Actor, input: CreateToken): Promise<CreatedToken> {
      const missing = input.scopes.filter(
        (scope) => !actor.scopes.includes('*') && !actor.scopes.includes(scope),
      );
      if (missing.length > 0) {
        throw new Problem('forbidden', `This sign-in may not give out: ${missing.join(', ')}.`);
      }
      const expiresAt = later(input.expiresInMs ?? limits.tokenMs);
      const made = await issue(
        { teamId: actor.teamId, userId: actor.userId },
        { name: input.name, scopes: input.scopes, expiresAt },
      );
      return {
        id: made.id,
        name: input.name,
        scopes: input.scopes,
        createdAt: timestamp(made.createdAt.getTime()),
        expiresAt: timestamp(expiresAt.getTime()),
        token: made.text,
      };
    },

    async revokeToken(actor: Actor, id: string): Promise<void> {
      const { teamId, userId } = actor;
      if (!(await store.revokeToken(sql, { teamId, userId, id, at: now() })))
        throw new Problem('not-found', 'No such token.');
    },

    /** Removes what has expired; run now and then. */
    async sweep(): Promise<void> {
      await store.sweepExpired(sql, now());
    },
  };
}

function tokenOf(row: OwnToken): Token {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdAt: timestamp(row.created_at.getTime()),
    ...(row.expires_at ? { expiresAt: timestamp(row.expires_at.getTime()) } : {}),
    ...(row.last_used_at ? { lastUsedAt: timestamp(row.last_used_at.getTime()) } : {}),
  };
}
