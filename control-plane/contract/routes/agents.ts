import { agent, createAgent, page, patchAgent } from '../resources.ts';
import type { Route } from './route.ts';
import { cursor, limit } from './route.ts';

export const agentPage = page(agent);

export const agentRoutes = {
  listAgents: {
    method: 'get',
    path: '/api/v1/agents',
    tag: 'agents',
    summary: 'The team’s agents, newest first',
    action: 'read',
    query: { limit, cursor },
    answers: { 200: { about: 'A page.', schema: agentPage } },
  },
  createAgent: {
    method: 'post',
    path: '/api/v1/agents',
    tag: 'agents',
    summary: 'A new agent',
    action: 'agents',
    headers: ['Idempotency-Key'],
    body: { schema: createAgent },
    answers: { 201: { about: 'The agent.', schema: agent, headers: ['ETag', 'Location'] } },
    problems: ['harness-unknown', 'model-required'],
    links: { getAgent: 'agentId', patchAgent: 'agentId', deleteAgent: 'agentId' },
  },
  getAgent: {
    method: 'get',
    path: '/api/v1/agents/{agentId}',
    tag: 'agents',
    summary: 'One agent',
    action: 'read',
    answers: { 200: { about: 'The agent.', schema: agent, headers: ['ETag'] } },
  },
  patchAgent: {
    method: 'patch',
    path: '/api/v1/agents/{agentId}',
    tag: 'agents',
    summary: 'Changes an agent; sessions that run keep what they started with',
    action: 'agents',
    headers: ['If-Match'],
    body: { schema: patchAgent },
    answers: { 200: { about: 'The agent.', schema: agent, headers: ['ETag'] } },
    problems: ['harness-unknown', 'model-required'],
  },
  deleteAgent: {
    method: 'delete',
    path: '/api/v1/agents/{agentId}',
    tag: 'agents',
    summary: 'Removes an agent that has no sessions any more',
    action: 'agents',
    answers: { 204: { about: 'Removed.' } },
    problems: ['agent-in-use'],
  },
} as const satisfies Record<string, Route>;
