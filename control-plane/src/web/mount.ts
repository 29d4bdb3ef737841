import type { Express, NextFunction, Request, Response } from 'express';
import { Problem } from '@berth/contract';
import type { OperationId, ParamNames, QueryOf, Route } from '@berth/contract/routes';
import { paramNames, routes } from '@berth/contract/routes';
import type * as z from 'zod/mini';
import type { Actor } from '../identity/index.ts';
import { allowed } from '../identity/index.ts';
import type { Reply } from './answer.ts';
import { answer } from './answer.ts';
import type { Auth } from './auth.ts';
import { rawBodyOf, readBody } from './body.ts';
import { contextOf } from './context.ts';
import type { Idempotency } from './idempotency.ts';
import { Refusal } from './refusals.ts';
import { isUuid, parseBody, parseQuery } from './validate.ts';

type Table = typeof routes;
type ActorOf<R> = R extends { action: null } ? null : Actor;
type BodyOf<R> = R extends { body: { schema: infer Schema extends z.ZodMiniType } }
  ? R extends { body: { optional: true } }
    ? z.output<Schema> | undefined
    : z.output<Schema>
  : undefined;

/** A request that was found to be good: signed in, allowed, and everything in it of the shape that the table says. */
export interface Call<Id extends OperationId> {
  readonly actor: ActorOf<Table[Id]>;
  readonly params: Readonly<Record<ParamNames<Table[Id]['path']>, string>>;
  readonly query: Table[Id] extends { query: infer Q } ? QueryOf<Q> : Record<string, never>;
  readonly body: BodyOf<Table[Id]>;
  readonly request: Request;
  readonly response: Response;
  /** The client is gone. */
  readonly signal: AbortSignal;
  /** Asked again later, for answers that never end: the same sign-in is still good, and still enough. */
  readonly stillAllowed: () => Promise<boolean>;
  /** The id of what the request creates, when it came with an idempotency key. */
  readonly createdId?: string;
}
/** Returns the answer, or `sent` when it wrote it itself. */
export type Handler<Id extends OperationId> = (call: Call<Id>) => Promise<Reply | 'sent'>;
/** Runs after the answer is fixed (and kept for its idempotency key), on a replay too: it may wait, it may not create. */
export type Finish<Id extends OperationId> = (call: Call<Id>, reply: Reply) => Promise<Reply>;
export type Mount = <Id extends OperationId>(
  id: Id,
  handler: Handler<Id>,
  finish?: Finish<Id>,
) => void;

const expressPath = (path: string): string => path.replaceAll(/\{([A-Za-z]+)\}/g, ':$1');
const unknownPlace = () => new Problem('not-found', 'There is nothing here.');

function paramsOf(request: Request, names: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const name of names) {
    const value = request.params[name];
    if (typeof value !== 'string') throw unknownPlace();
    // A malformed id is an unknown one. Tokens have ids of another form.
    const known = name === 'tokenId' ? /^[0-9A-Za-z]{10}$/.test(value) : isUuid(value);
    if (!known) throw unknownPlace();
    params[name] = name === 'tokenId' ? value : value.toLowerCase();
  }
  return params;
}

function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    // It also closes after the last byte of a whole answer.
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

const keyed = (route: Route): boolean => route.headers?.includes('Idempotency-Key') ?? false;

export function createMount({
  app,
  auth,
  idempotency,
}: {
  app: Express;
  auth: Auth;
  idempotency: Idempotency;
}): Mount {
  async function check(request: Request, response: Response, route: Route) {
    const context = contextOf(request);
    const signedIn = route.action === null ? null : await auth.request(request);
    if (signedIn !== null && route.action !== null) {
      context.userId = signedIn.actor.userId;
      if (!allowed(signedIn.actor, route.action))
        throw new Problem('forbidden', `This sign-in may not do this (${route.action}).`);
      if (route.bearerOnly === true && signedIn.via !== 'bearer')
        throw new Problem('forbidden', 'Only a bearer token may do this.');
    }
    const params = paramsOf(request, paramNames(route.path));
    const search = new URL(request.originalUrl, 'http://here.invalid').searchParams;
    const query = parseQuery(route.query ?? {}, search);
    const sent = await readBody(request, response, route);
    const schema = route.body?.schema;
    const body =
      schema === undefined || (sent === undefined && route.body?.optional === true)
        ? undefined
        : parseBody(schema, sent);
    const stillAllowed = async (): Promise<boolean> => {
      if (signedIn === null || route.action === null) return true;
      const now = await signedIn.again();
      return now?.role === signedIn.actor.role && allowed(now, route.action);
    };
    return { actor: signedIn?.actor ?? null, params, query, body, stillAllowed };
  }

  return (id, handler, finish) => {
    const route: Route = routes[id];
    app[route.method](
      expressPath(route.path),
      async (request: Request, response: Response, next: NextFunction) => {
        // Express sends HEAD here too; the table's readers get the same without a body.
        if (request.method === 'HEAD' && route.method !== 'get') {
          next();
          return;
        }
        contextOf(request).route = route.path;
        const checked = await check(request, response, route);
        const signal = goneSignal(response);
        // The table says what `check` made of each part; the compiler cannot follow that through a table of all routes.
        const call = { ...checked, request, response, signal } as unknown as Call<typeof id>;
        const key = request.headers['idempotency-key'];
        let reply: Reply | 'sent';
        if (keyed(route) && checked.actor !== null && typeof key === 'string') {
          const { actor } = checked;
          const source = { method: route.method, url: request.originalUrl };
          const once = await idempotency.once(
            actor,
            key,
            { ...source, body: rawBodyOf(request) },
            signal,
            async (createdId) => {
              const first = await handler({ ...call, createdId });
              if (first === 'sent') throw new Error('a streamed answer cannot be kept');
              return { status: first.status, headers: first.headers ?? {}, body: first.body ?? '' };
            },
          );
          reply = once.reply;
          if (once.replayed) response.setHeader('Idempotent-Replayed', 'true');
        } else {
          reply = await handler(call);
        }
        if (reply === 'sent') return;
        answer(response, finish === undefined ? reply : await finish(call, reply));
      },
    );
  };
}

/** After all routes: a known place with another method is 405, with what it does know. */
export function mountMethodNotAllowed(app: Express): void {
  const methods = new Map<string, Set<string>>();
  for (const route of Object.values(routes)) {
    const known = methods.get(route.path) ?? new Set<string>();
    known.add(route.method.toUpperCase());
    if (route.method === 'get') known.add('HEAD');
    methods.set(route.path, known);
  }
  for (const [path, known] of methods) {
    app.all(expressPath(path), (request: Request) => {
      contextOf(request).route = path;
      const allow = [...known].sort().join(', ');
      throw new Refusal('method-not-allowed', `Only ${allow} here.`, { Allow: allow });
    });
  }
}
