import * as z from 'zod/mini';
import { createTicket, harness, me, meta, ticket } from '../resources.ts';
import { createSignInLink, createToken, createdToken, signInLink, token } from '../tokens.ts';
import type { Route } from './route.ts';

export const tokenList = z.object({ items: z.array(token) });
export const harnessList = z.array(harness);
export const health = z.object({ status: z.literal('ok') });

export const identityRoutes = {
  getHealth: {
    method: 'get',
    path: '/healthz',
    tag: 'server',
    summary: 'Alive',
    action: null,
    answers: { 200: { about: 'The process answers.', schema: health } },
  },
  getReadiness: {
    method: 'get',
    path: '/readyz',
    tag: 'server',
    summary: 'Database, migrations and roles are ready',
    action: null,
    answers: { 200: { about: 'Ready.', schema: health } },
    problems: ['not-ready'],
  },
  getMetrics: {
    method: 'get',
    path: '/metrics',
    tag: 'server',
    summary: 'Metrics for Prometheus',
    action: null,
    answers: { 200: { about: 'Prometheus text.', types: ['text/plain'] } },
  },
  getOpenApi: {
    method: 'get',
    path: '/api/v1/openapi.json',
    tag: 'server',
    summary: 'This document',
    action: null,
    answers: { 200: { about: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
  },
  getMeta: {
    method: 'get',
    path: '/api/v1/meta',
    tag: 'server',
    summary: 'What this server is and can do',
    action: null,
    answers: { 200: { about: 'The server.', schema: meta } },
  },
  getMe: {
    method: 'get',
    path: '/api/v1/me',
    tag: 'identity',
    summary: 'Who is signed in',
    action: 'read',
    answers: { 200: { about: 'The caller.', schema: me } },
  },
  createTicket: {
    method: 'post',
    path: '/api/v1/tickets',
    tag: 'identity',
    summary: 'A one-time ticket for a socket, valid for 30 seconds',
    action: 'read',
    // No Idempotency-Key: a ticket that is answered twice would be two people’s.
    body: { schema: createTicket },
    answers: { 201: { about: 'The ticket, for `?ticket=`.', schema: ticket } },
  },
  createSignInLink: {
    method: 'post',
    path: '/api/v1/sign-in-links',
    tag: 'identity',
    summary: 'A one-time link that signs a browser in, valid for 5 minutes',
    action: 'read',
    bearerOnly: true,
    body: { schema: createSignInLink, optional: true },
    answers: { 201: { about: 'The link.', schema: signInLink } },
  },
  signOut: {
    method: 'post',
    path: '/api/v1/sign-out',
    tag: 'identity',
    summary: 'Ends this browser’s session; a token is not touched',
    action: 'read',
    answers: { 204: { about: 'Signed out.' } },
  },
  listTokens: {
    method: 'get',
    path: '/api/v1/tokens',
    tag: 'identity',
    summary: 'The caller’s API tokens that are in force',
    action: 'read',
    answers: { 200: { about: 'Without their secrets.', schema: tokenList } },
  },
  createToken: {
    method: 'post',
    path: '/api/v1/tokens',
    tag: 'identity',
    summary: 'A new API token; its secret is shown this once',
    action: 'tokens',
    // No Idempotency-Key: the secret would have to be kept to be answered again.
    body: { schema: createToken },
    answers: { 201: { about: 'The token.', schema: createdToken } },
  },
  revokeToken: {
    method: 'delete',
    path: '/api/v1/tokens/{tokenId}',
    tag: 'identity',
    summary: 'Revokes a token at once',
    action: 'tokens',
    answers: { 204: { about: 'Revoked.' } },
  },
  listHarnesses: {
    method: 'get',
    path: '/api/v1/harnesses',
    tag: 'agents',
    summary: 'The kinds of coding agents that this server runs',
    action: 'read',
    answers: { 200: { about: 'All of them.', schema: harnessList } },
  },
} as const satisfies Record<string, Route>;
