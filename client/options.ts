import type { Query, RequestOptions, Requests } from './request.ts';

/** The same key and body give the first answer again; unless given, each call has a key of its own. */
export interface CreateOptions extends RequestOptions {
  idempotencyKey?: string | undefined;
}
export interface PageQuery extends RequestOptions {
  limit?: number | undefined;
  cursor?: string | undefined;
}
/** Answers once the turn ended, or when the seconds are over with the turn as it is then. */
export interface WaitOptions extends RequestOptions {
  waitSeconds?: number | undefined;
}

/** What every group of calls is made of. */
export interface Calls {
  http: Requests;
  newId: () => string;
}

export const base = '/api/v1';
export const part = encodeURIComponent;
export const sessionPath = (id: string): string => `${base}/sessions/${part(id)}`;

export const creating = (
  newId: () => string,
  given: CreateOptions,
): { headers: Record<string, string> } => ({
  headers: { 'idempotency-key': given.idempotencyKey ?? newId() },
});
export const matching = (version: number): { headers: Record<string, string> } => ({
  headers: { 'if-match': `"${version}"` },
});
export const waiting = (seconds: number | undefined): Record<string, string> =>
  seconds === undefined ? {} : { prefer: `wait=${seconds}` };

export function listQuery(given: RequestOptions): Query {
  const { signal: _signal, ...query } = given;
  return query;
}
