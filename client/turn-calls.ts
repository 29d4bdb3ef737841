import type {
  Approval,
  CreateTurn,
  DecideApproval,
  Page,
  PatchTurn,
  SettleTurn,
  Turn,
} from '@berth/contract';
import { approval, page, turn } from '@berth/contract';
import type { Calls, PageQuery, WaitOptions } from './options.ts';
import { base, listQuery, part, sessionPath, waiting } from './options.ts';
import type { RequestOptions } from './request.ts';

const turnPage = page(turn);
const approvalPage = page(approval);
const turnPath = (id: string, turnId: string) => `${sessionPath(id)}/turns/${part(turnId)}`;

export function turnCalls({ http, newId }: Calls) {
  return {
    list: (
      sessionId: string,
      query: PageQuery & { state?: Turn['state'] | undefined } = {},
    ): Promise<Page<Turn>> =>
      http.json(
        {
          method: 'GET',
          path: `${sessionPath(sessionId)}/turns`,
          query: listQuery(query),
          signal: query.signal,
        },
        turnPage,
      ),
    get: (
      sessionId: string,
      turnId: string,
      { waitSeconds, signal }: WaitOptions = {},
    ): Promise<Turn> =>
      http.json(
        {
          method: 'GET',
          path: turnPath(sessionId, turnId),
          headers: waiting(waitSeconds),
          signal,
        },
        turn,
      ),
    /** The turn's id is its idempotency key: sending it again is safe. */
    create: (
      sessionId: string,
      body: CreateTurn,
      { waitSeconds, signal }: WaitOptions = {},
    ): Promise<Turn> =>
      http.json(
        {
          method: 'POST',
          path: `${sessionPath(sessionId)}/turns`,
          headers: { 'idempotency-key': newId(), ...waiting(waitSeconds) },
          body,
          signal,
        },
        turn,
      ),
    patch: (
      sessionId: string,
      turnId: string,
      body: PatchTurn,
      { signal }: RequestOptions = {},
    ): Promise<Turn> =>
      http.json({ method: 'PATCH', path: turnPath(sessionId, turnId), body, signal }, turn),
    withdraw: (sessionId: string, turnId: string, { signal }: RequestOptions = {}): Promise<Turn> =>
      http.json({ method: 'DELETE', path: turnPath(sessionId, turnId), signal }, turn),
    settle: (
      sessionId: string,
      turnId: string,
      body: SettleTurn,
      { signal }: RequestOptions = {},
    ): Promise<Turn> =>
      http.json(
        { method: 'POST', path: `${turnPath(sessionId, turnId)}/settle`, body, signal },
        turn,
      ),
  };
}

export function approvalCalls({ http }: Calls) {
  return {
    list: (
      query: PageQuery & {
        state?: Approval['state'] | undefined;
        sessionId?: string | undefined;
      } = {},
    ): Promise<Page<Approval>> =>
      http.json(
        {
          method: 'GET',
          path: `${base}/approvals`,
          query: listQuery(query),
          signal: query.signal,
        },
        approvalPage,
      ),
    get: (id: string, { signal }: RequestOptions = {}): Promise<Approval> =>
      http.json({ method: 'GET', path: `${base}/approvals/${part(id)}`, signal }, approval),
    decide: (
      id: string,
      body: DecideApproval,
      { signal }: RequestOptions = {},
    ): Promise<Approval> =>
      http.json(
        { method: 'POST', path: `${base}/approvals/${part(id)}/decision`, body, signal },
        approval,
      ),
  };
}
