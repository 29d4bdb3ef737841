import type {
  Agent,
  CreateAgent,
  CreateToken,
  CreatedToken,
  Harness,
  Me,
  Meta,
  Page,
  PatchAgent,
  SignInLink,
  Ticket,
  Token,
} from '@berth/contract';
import {
  agent,
  createdToken,
  harness,
  me,
  meta,
  page,
  signInLink,
  ticket,
  token as tokenSchema,
} from '@berth/contract';
import * as z from 'zod/mini';
import type { CreateOptions, PageQuery } from './options.ts';
import { base, creating, listQuery, matching, part } from './options.ts';
import type { Fetch, RequestOptions } from './request.ts';
import { createRequests } from './request.ts';
import { sessionCalls } from './session-calls.ts';
import { approvalCalls, turnCalls } from './turn-calls.ts';
import { changeCalls, fileCalls, terminalCalls } from './workspace-calls.ts';

export type NewAgent = Omit<CreateAgent, 'mode'> & { mode?: CreateAgent['mode'] };
export type NewToken = Omit<CreateToken, 'scopes'> & { scopes?: CreateToken['scopes'] };

const agentPage = page(agent);
const harnesses = z.array(harness);
const tokens = z.object({ items: z.array(tokenSchema) });
const agentPath = (id: string) => `${base}/agents/${part(id)}`;

export type BerthClient = ReturnType<typeof createClient>;

/** Everything of the API but its sockets. `token` is asked at each call; without one the browser's cookie speaks. */
export function createClient(options: {
  url: string;
  token?: (() => string | undefined) | undefined;
  fetch?: Fetch | undefined;
  newId?: (() => string) | undefined;
}) {
  // A URL that is none is a fault of the caller's settings: said here, not at the first call.
  const url = new URL(options.url).href.replace(/\/+$/, '');
  const token = options.token ?? (() => undefined);
  const newId = options.newId ?? (() => crypto.randomUUID());
  const http = createRequests({
    url,
    token,
    fetch: options.fetch ?? ((address, init) => fetch(address, init)),
  });
  const calls = { http, newId };
  const sessions = sessionCalls(calls);
  return {
    url,
    token,
    newId,
    meta: ({ signal }: RequestOptions = {}): Promise<Meta> =>
      http.json({ method: 'GET', path: `${base}/meta`, signal }, meta),
    me: ({ signal }: RequestOptions = {}): Promise<Me> =>
      http.json({ method: 'GET', path: `${base}/me`, signal }, me),
    harnesses: ({ signal }: RequestOptions = {}): Promise<Harness[]> =>
      http.json({ method: 'GET', path: `${base}/harnesses`, signal }, harnesses),
    agents: {
      list: (query: PageQuery = {}): Promise<Page<Agent>> =>
        http.json(
          { method: 'GET', path: `${base}/agents`, query: listQuery(query), signal: query.signal },
          agentPage,
        ),
      get: (id: string, { signal }: RequestOptions = {}): Promise<Agent> =>
        http.json({ method: 'GET', path: agentPath(id), signal }, agent),
      create: (body: NewAgent, given: CreateOptions = {}): Promise<Agent> =>
        http.json(
          {
            method: 'POST',
            path: `${base}/agents`,
            body,
            signal: given.signal,
            ...creating(newId, given),
          },
          agent,
        ),
      patch: (
        id: string,
        version: number,
        body: PatchAgent,
        { signal }: RequestOptions = {},
      ): Promise<Agent> =>
        http.json(
          { method: 'PATCH', path: agentPath(id), body, signal, ...matching(version) },
          agent,
        ),
      remove: (id: string, { signal }: RequestOptions = {}): Promise<void> =>
        http.nothing({ method: 'DELETE', path: agentPath(id), signal }),
    },
    sessions,
    logs: sessions.logs,
    turns: turnCalls(calls),
    approvals: approvalCalls(calls),
    terminals: terminalCalls(calls),
    files: fileCalls(calls),
    changes: changeCalls(calls),
    tickets: {
      create: (
        body: { for: 'channels' } | { for: 'terminal'; terminalId: string },
        { signal }: RequestOptions = {},
      ): Promise<Ticket> =>
        http.json({ method: 'POST', path: `${base}/tickets`, body, signal }, ticket),
    },
    signInLinks: {
      /** Signs a browser in; `path` is where it goes then. */
      create: (path?: string, { signal }: RequestOptions = {}): Promise<SignInLink> =>
        http.json(
          {
            method: 'POST',
            path: `${base}/sign-in-links`,
            body: path === undefined ? {} : { path },
            signal,
          },
          signInLink,
        ),
    },
    tokens: {
      list: async ({ signal }: RequestOptions = {}): Promise<Token[]> =>
        (await http.json({ method: 'GET', path: `${base}/tokens`, signal }, tokens)).items,
      create: (body: NewToken, { signal }: RequestOptions = {}): Promise<CreatedToken> =>
        http.json({ method: 'POST', path: `${base}/tokens`, body, signal }, createdToken),
      revoke: (id: string, { signal }: RequestOptions = {}): Promise<void> =>
        http.nothing({ method: 'DELETE', path: `${base}/tokens/${part(id)}`, signal }),
    },
    signOut: ({ signal }: RequestOptions = {}): Promise<void> =>
      http.nothing({ method: 'POST', path: `${base}/sign-out`, signal }),
  };
}
