import * as z from 'zod/mini';
import { eventEnvelope, sessionStatuses, turnStates } from '../events.ts';
import {
  approval,
  createSession,
  createTurn,
  decideApproval,
  page,
  patchSession,
  patchTurn,
  session,
  turn,
} from '../resources.ts';
import { settleTurn } from '../settle.ts';
import { seq } from '../scalars.ts';
import type { Route } from './route.ts';
import { bodyLimits, cursor, limit } from './route.ts';

export const sessionPage = page(session);
export const turnPage = page(turn);
export const approvalPage = page(approval);
export const eventPage = z.object({ items: z.array(eventEnvelope), lastSeq: seq });
export const sessionExport = z.object({
  session,
  turns: z.array(turn),
  events: z.array(eventEnvelope),
});

const maxSeq = Number.MAX_SAFE_INTEGER;
const order = <Path extends string>(path: Path, summary: string) =>
  ({
    method: 'post',
    path,
    tag: 'sessions',
    summary,
    action: 'sessions',
    answers: { 202: { about: 'It will be so.', schema: session, headers: ['ETag'] } },
    problems: ['session-deleting', 'session-archived', 'runner-unreachable', 'sandbox-not-ready'],
  }) as const;

export const sessionRoutes = {
  listSessions: {
    method: 'get',
    path: '/api/v1/sessions',
    tag: 'sessions',
    summary: 'The team’s sessions, newest first',
    action: 'read',
    query: {
      agentId: { kind: 'uuid', about: 'Only of this agent.' },
      status: { kind: 'one-of', values: sessionStatuses, about: 'Only in this state.' },
      archived: { kind: 'flag', about: 'Only archived ones, or none of them.' },
      limit,
      cursor,
    },
    answers: { 200: { about: 'A page.', schema: sessionPage } },
  },
  createSession: {
    method: 'post',
    path: '/api/v1/sessions',
    tag: 'sessions',
    summary: 'A new session; answers at once, the sandbox comes later',
    action: 'sessions',
    headers: ['Idempotency-Key'],
    body: { schema: createSession, maxBytes: bodyLimits.promptBytes },
    answers: { 201: { about: 'The session.', schema: session, headers: ['ETag', 'Location'] } },
    problems: ['not-found', 'harness-unknown', 'model-required', 'turn-id-reused'],
    links: {
      getSession: 'sessionId',
      patchSession: 'sessionId',
      deleteSession: 'sessionId',
      listTurns: 'sessionId',
      createTurn: 'sessionId',
      listEvents: 'sessionId',
    },
  },
  getSession: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}',
    tag: 'sessions',
    summary: 'One session',
    action: 'read',
    answers: { 200: { about: 'The session.', schema: session, headers: ['ETag'] } },
  },
  patchSession: {
    method: 'patch',
    path: '/api/v1/sessions/{sessionId}',
    tag: 'sessions',
    summary:
      'Changes title, mode, model or budget; or marks events as read, which every reader may',
    action: 'read',
    headers: ['If-Match'],
    body: { schema: patchSession },
    answers: { 200: { about: 'The session.', schema: session, headers: ['ETag'] } },
    problems: ['session-deleting', 'session-archived', 'runner-unreachable', 'sandbox-not-ready'],
  },
  deleteSession: {
    method: 'delete',
    path: '/api/v1/sessions/{sessionId}',
    tag: 'sessions',
    summary: 'Removes the session, its sandbox and its volumes',
    action: 'sessions',
    answers: { 202: { about: 'It is being removed.', schema: session } },
    problems: ['session-deleting'],
  },
  suspendSession: order(
    '/api/v1/sessions/{sessionId}/suspend',
    'Stops the sandbox; its disk is kept',
  ),
  resumeSession: order('/api/v1/sessions/{sessionId}/resume', 'Starts the sandbox again'),
  archiveSession: order('/api/v1/sessions/{sessionId}/archive', 'Puts the session away'),
  unarchiveSession: order('/api/v1/sessions/{sessionId}/unarchive', 'Takes it out again'),
  cancelTurn: order('/api/v1/sessions/{sessionId}/cancel', 'Stops the running turn'),
  restartAgent: order(
    '/api/v1/sessions/{sessionId}/restart-agent',
    'Restarts the agent’s process only',
  ),
  takeBack: order(
    '/api/v1/sessions/{sessionId}/take-back',
    'Takes the conversation from a terminal into the chat',
  ),
  listTurns: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/turns',
    tag: 'turns',
    summary: 'The session’s turns, newest first',
    action: 'read',
    query: {
      state: { kind: 'one-of', values: turnStates, about: 'Only in this state.' },
      limit,
      cursor,
    },
    answers: { 200: { about: 'A page.', schema: turnPage } },
  },
  createTurn: {
    method: 'post',
    path: '/api/v1/sessions/{sessionId}/turns',
    tag: 'turns',
    summary: 'Sends a prompt; its id is made by the client, and the same id is the same turn',
    action: 'sessions',
    headers: ['Idempotency-Key', 'Prefer'],
    body: { schema: createTurn, maxBytes: bodyLimits.promptBytes },
    answers: {
      200: {
        about: 'It was there already, or it ended within `Prefer: wait`.',
        schema: turn,
        headers: ['Preference-Applied'],
      },
      201: { about: 'Stored.', schema: turn, headers: ['Location'] },
      202: {
        about: 'It did not end within `Prefer: wait`.',
        schema: turn,
        headers: ['Preference-Applied'],
      },
    },
    problems: ['turn-id-reused', 'session-deleting', 'session-archived'],
  },
  getTurn: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/turns/{turnId}',
    tag: 'turns',
    summary: 'One turn; with `Prefer: wait`, once it ended',
    action: 'read',
    headers: ['Prefer'],
    answers: {
      200: { about: 'The turn.', schema: turn, headers: ['Preference-Applied'] },
      202: {
        about: 'It did not end within `Prefer: wait`.',
        schema: turn,
        headers: ['Preference-Applied'],
      },
    },
  },
  patchTurn: {
    method: 'patch',
    path: '/api/v1/sessions/{sessionId}/turns/{turnId}',
    tag: 'turns',
    summary: 'Edits or moves a turn that is still queued',
    action: 'sessions',
    body: { schema: patchTurn, maxBytes: bodyLimits.promptBytes },
    answers: { 200: { about: 'The turn.', schema: turn } },
    problems: ['turn-already-sent', 'session-deleting', 'session-archived'],
  },
  withdrawTurn: {
    method: 'delete',
    path: '/api/v1/sessions/{sessionId}/turns/{turnId}',
    tag: 'turns',
    summary: 'Withdraws a turn that is still queued',
    action: 'sessions',
    answers: { 200: { about: 'The turn, cancelled.', schema: turn } },
    problems: ['turn-already-sent'],
  },
  settleTurn: {
    method: 'post',
    path: '/api/v1/sessions/{sessionId}/turns/{turnId}/settle',
    tag: 'turns',
    summary: 'Decides a turn whose delivery is unknown',
    action: 'sessions',
    body: { schema: settleTurn },
    answers: { 200: { about: 'The turn.', schema: turn } },
    problems: ['turn-not-unknown', 'session-deleting'],
  },
  listEvents: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/events',
    tag: 'events',
    summary: 'The log, by number; as a live stream with `Accept: text/event-stream`',
    action: 'read',
    headers: ['Last-Event-ID'],
    query: {
      after: { kind: 'int', min: 0, max: maxSeq, about: 'Those after this number.' },
      before: { kind: 'int', min: 0, max: maxSeq, about: 'The last ones before this number.' },
      tail: { kind: 'int', min: 0, max: 1000, about: 'The last ones.' },
      limit: { kind: 'int', min: 1, max: 1000, about: 'How many at most; 1000 unless told.' },
    },
    answers: {
      200: {
        about: 'A page in order of `seq`, or the stream.',
        schema: eventPage,
        types: ['application/json', 'text/event-stream'],
      },
    },
  },
  getBlob: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/blobs/{blobId}',
    tag: 'events',
    summary: 'Output of a tool that was too long for its event',
    action: 'read',
    answers: {
      200: { about: 'The bytes.', types: ['text/plain', 'application/octet-stream'] },
    },
  },
  exportSession: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/export',
    tag: 'sessions',
    summary: 'The whole conversation as Markdown, or as JSON by `Accept`',
    action: 'read',
    answers: {
      200: {
        about: 'The conversation.',
        schema: sessionExport,
        types: ['text/markdown', 'application/json'],
      },
    },
  },
  listApprovals: {
    method: 'get',
    path: '/api/v1/approvals',
    tag: 'approvals',
    summary: 'Questions that agents asked, newest first',
    action: 'read',
    query: {
      state: {
        kind: 'one-of',
        values: ['waiting', 'decided', 'superseded', 'expired'],
        about: 'Only in this state.',
      },
      sessionId: { kind: 'uuid', about: 'Only of this session.' },
      limit,
      cursor,
    },
    answers: { 200: { about: 'A page.', schema: approvalPage } },
  },
  getApproval: {
    method: 'get',
    path: '/api/v1/approvals/{approvalId}',
    tag: 'approvals',
    summary: 'One question',
    action: 'read',
    answers: { 200: { about: 'The approval.', schema: approval } },
  },
  decideApproval: {
    method: 'post',
    path: '/api/v1/approvals/{approvalId}/decision',
    tag: 'approvals',
    summary: 'Answers it; the first answer wins',
    action: 'approvals',
    body: { schema: decideApproval },
    answers: { 200: { about: 'The approval, decided.', schema: approval } },
    problems: ['already-decided'],
  },
} as const satisfies Record<string, Route>;
