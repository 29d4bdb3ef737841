import { createHash, randomBytes } from 'node:crypto';
import type { Hints } from '../store/index.ts';
import { readAgentOf } from './facts.store.ts';
import type { EgressGrant } from './ports.ts';
import type { AgentOfSession } from './sessions.store.ts';
import type { Sql } from './sql.ts';

/** What the egress proxy knows of a session. The token itself goes to the runner only. */
export interface SessionEgress {
  readonly sessionId: string;
  readonly teamId: string;
  /** SHA-256 of the session's egress token, base64. */
  readonly tokenHash: string;
  readonly allow: readonly string[];
}
export interface EgressPolicies {
  /** Calls back with every policy that stands, then with each change, before the runner gets the token; returns the way to stop. */
  watch(listener: {
    set(policy: SessionEgress): void;
    forget(sessionId: string): void;
  }): () => void;
}

/** Who may pass the egress proxy. Kept by the process that has the proxy, which is the one that has the sandboxes. */
export interface EgressGrants {
  readonly policies: EgressPolicies;
  /** The proxy knows it when this resolves. Null: no such session. */
  grant(sessionId: string): Promise<EgressGrant | null>;
  /** What this session may do follows its rows again, at once and in every process. */
  refresh(sessionId: string): Promise<void>;
  agentChanged(agentId: string): Promise<void>;
  forget(sessionId: string): void;
  /** Another process changed the rows. */
  hinted(hint: string): Promise<void>;
}

export const policyChannel = 'session_policy';

export function createEgressGrants(options: {
  pool: Sql;
  hints: Pick<Hints, 'publish'>;
  socket: string;
  /** What else follows the rows. */
  refreshed: (sessionId: string) => Promise<void>;
  agentRefreshed: (agentId: string) => Promise<void>;
}): EgressGrants {
  const { pool, hints, socket } = options;
  // In memory only: after a restart every runner is bound again, with another token.
  const tokens = new Map<string, string>();
  const policies = new Map<string, SessionEgress & { agentId: string }>();
  const watchers = new Set<Parameters<EgressPolicies['watch']>[0]>();

  async function publish(sessionId: string, token: string): Promise<boolean> {
    const agent = await readAgentOf(pool, sessionId);
    if (agent === null || tokens.get(sessionId) !== token) return false;
    const policy = {
      sessionId,
      teamId: agent.team_id,
      tokenHash: createHash('sha256').update(token).digest('base64'),
      allow: egressHosts(agent),
    };
    policies.set(sessionId, { ...policy, agentId: agent.id });
    for (const watcher of watchers) watcher.set(policy);
    return true;
  }
  async function follow(sessionId: string): Promise<void> {
    const token = tokens.get(sessionId);
    if (token !== undefined) await publish(sessionId, token);
    await options.refreshed(sessionId);
  }
  async function followAgent(agentId: string): Promise<void> {
    for (const policy of [...policies.values()])
      if (policy.agentId === agentId) await follow(policy.sessionId);
    await options.agentRefreshed(agentId);
  }
  function forget(sessionId: string): void {
    tokens.delete(sessionId);
    if (policies.delete(sessionId)) for (const watcher of watchers) watcher.forget(sessionId);
  }

  return {
    policies: {
      watch(listener) {
        watchers.add(listener);
        for (const { agentId: _, ...policy } of policies.values()) listener.set(policy);
        return () => watchers.delete(listener);
      },
    },
    async grant(sessionId) {
      const token = tokens.get(sessionId) ?? randomBytes(32).toString('base64url');
      tokens.set(sessionId, token);
      if (policies.has(sessionId) || (await publish(sessionId, token))) return { token, socket };
      forget(sessionId);
      return null;
    },
    async refresh(sessionId) {
      await follow(sessionId);
      hints.publish(policyChannel, `session ${sessionId}`);
    },
    async agentChanged(agentId) {
      await followAgent(agentId);
      hints.publish(policyChannel, `agent ${agentId}`);
    },
    forget,
    async hinted(hint) {
      const [what, id] = hint.split(' ');
      if (id === undefined) return;
      await (what === 'agent' ? followAgent(id) : follow(id));
    },
  };
}

/** The agent's list, and the host that its repository is cloned from. */
function egressHosts(agent: Pick<AgentOfSession, 'egress' | 'repository'>): string[] {
  const repository = agent.repository === null ? [] : [new URL(agent.repository.url).hostname];
  return [...new Set([...(agent.egress?.allow ?? []), ...repository])];
}
