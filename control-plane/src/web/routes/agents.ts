import type { Agents } from '../../agents/index.ts';
import { empty, json, versioned } from '../answer.ts';
import { versionOf } from '../conditions.ts';
import type { Mount } from '../mount.ts';

export function mountAgents(mount: Mount, agents: Agents): void {
  mount('listAgents', async ({ actor, query }) => json(200, await agents.list(actor, query)));
  mount('createAgent', async ({ actor, body, createdId }) => {
    const agent = await agents.create(actor, body, createdId);
    return json(201, agent, { ...versioned(agent), Location: `/api/v1/agents/${agent.id}` });
  });
  mount('getAgent', async ({ actor, params }) => {
    const agent = await agents.get(actor, params.agentId);
    return json(200, agent, versioned(agent));
  });
  mount('patchAgent', async ({ actor, params, body, request }) => {
    const version = versionOf(request.headers['if-match']);
    const agent = await agents.patch(actor, params.agentId, version, body);
    return json(200, agent, versioned(agent));
  });
  mount('deleteAgent', async ({ actor, params }) => {
    await agents.remove(actor, params.agentId);
    return empty;
  });
}
