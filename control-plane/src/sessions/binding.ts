import { createHash, randomBytes } from 'node:crypto';
import type { SessionSpec } from '@berth/contract/link';
import type { Sandbox } from '../sandboxes/index.ts';
import { advance, resend } from './advance.ts';
import type { Core } from './core.ts';
import { readAgentOf, readState, writeFields, type SessionState } from './facts.store.ts';
import type { AgentOfSession } from './sessions.store.ts';

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
/** What the gateway asks about a session whose runner is bound. */
export interface SessionContext {
  readonly teamId: string;
  readonly agentId: string;
  readonly model: string | null;
  readonly allowedModels: readonly string[];
}

export interface Binding {
  /** The sandbox runs: gives its runner all that it needs, then everything that it may have missed. */
  bind(sandbox: Sandbox): Promise<void>;
  /** A runner came (back): what could not be handed over is handed over. */
  bindMissed(): Promise<void>;
  unbind(sessionId: string, purge: boolean): void;
  /** The runner lost its link, or is back: the next report binds again. `journals`: session and source of each that it has. */
  linkChanged(journals: ReadonlyMap<string, string>): void;
  /** Items of this journal came. */
  heard(sessionId: string, sourceId: string): void;
  /** What the proxy and the gateway let this session do follows its rows again, at once. */
  refresh(sessionId: string): Promise<void>;
  agentChanged(agentId: string): Promise<void>;
  context(sessionId: string): SessionContext | undefined;
  readonly egressPolicies: EgressPolicies;
}

/** Which start of which sandbox. */
const nameOf = ({ generation, instance = '' }: Sandbox): string =>
  `${String(generation)} ${instance}`;

export const agentsDir = (harness: string): string => `/opt/agents/${harness}`;

export function createBinding(core: Core): Binding {
  // In memory only: after a restart every runner is bound again, with another token.
  const tokens = new Map<string, string>();
  const policies = new Map<string, SessionEgress>();
  const contexts = new Map<string, SessionContext>();
  const bound = new Map<string, string>();
  const missed = new Map<string, Sandbox>();
  /** The journals that the connected runner has, by session. */
  let held = new Map<string, string>();
  const watchers = new Set<Parameters<EgressPolicies['watch']>[0]>();

  function token(sessionId: string): string {
    const known = tokens.get(sessionId) ?? randomBytes(32).toString('base64url');
    tokens.set(sessionId, known);
    return known;
  }

  function publish(state: SessionState, agent: AgentOfSession): void {
    const policy: SessionEgress = {
      sessionId: state.id,
      teamId: state.team_id,
      tokenHash: createHash('sha256').update(token(state.id)).digest('base64'),
      allow: egressHosts(agent),
    };
    policies.set(state.id, policy);
    for (const watcher of watchers) watcher.set(policy);
    const model = state.model ?? agent.model;
    contexts.set(state.id, {
      teamId: state.team_id,
      agentId: agent.id,
      model,
      allowedModels: [...new Set([model, agent.model])].filter((name) => name !== null),
    });
  }

  async function refresh(sessionId: string): Promise<void> {
    if (!contexts.has(sessionId)) return;
    const state = await readState(core.pool, sessionId);
    const agent = await readAgentOf(core.pool, sessionId);
    if (state !== null && agent !== null && contexts.has(sessionId)) publish(state, agent);
  }

  function specOf(
    state: SessionState,
    agent: AgentOfSession,
    { door, instance, agents = [] }: Sandbox & Required<Pick<Sandbox, 'door'>>,
  ): SessionSpec {
    const bound = agents.find(({ name }) => agentsDir(name) === agentsDir(agent.harness));
    const spec: SessionSpec = {
      sessionId: state.id,
      generation: state.generation,
      ...door,
      // Of what lies in the sandbox: an upgrade meanwhile is for the next one.
      harness: core.harnesses.record(agent.harness, bound?.hostPath),
      agentsDir: agentsDir(agent.harness),
      mode: state.mode,
      env: { ...core.config.containerEnv, ...agent.env },
      awaitArchive: state.await_archive,
      egressToken: token(state.id),
      egressSocket: core.config.egressSocket,
    };
    if (instance !== undefined) spec.instance = instance;
    const model = state.model ?? agent.model;
    if (model !== null) spec.model = model;
    if (agent.instructions !== null) spec.instructions = agent.instructions;
    if (agent.repository !== null) spec.repository = agent.repository;
    if (state.agent_session_id !== null) spec.agentSessionId = state.agent_session_id;
    return spec;
  }

  async function bind(sandbox: Sandbox): Promise<void> {
    const { sessionId, door } = sandbox;
    await core.owner.run(sessionId, async (owned) => {
      const state = await readState(core.pool, sessionId);
      const agent = await readAgentOf(core.pool, sessionId);
      if (state === null || agent === null || state.deleted || door === undefined) return;
      if (state.desired !== 'running' || sandbox.generation !== state.generation) return;
      if (!core.runner.connected(sessionId)) {
        missed.set(sessionId, sandbox);
        return;
      }
      missed.delete(sessionId);
      if (bound.get(sessionId) === nameOf(sandbox)) return;
      // A journal that was counted and that the runner does not hold is lost. Known before anything is sent again to the one that takes its place.
      if (owned.sourceId !== null && held.get(sessionId) !== owned.sourceId)
        await core.owner.loseSource(owned);
      publish(state, agent);
      await writeFields(core.pool, sessionId, { isolated: sandbox.isolated });
      core.runner.bind(specOf(state, agent, { ...sandbox, door }));
      await resend(core, owned);
      // Only now: whatever failed before this line is done again by the next report.
      bound.set(sessionId, nameOf(sandbox));
      await advance(core, owned);
    });
  }

  return {
    bind,
    async bindMissed() {
      await Promise.all([...missed.values()].map((sandbox) => bind(sandbox)));
    },
    unbind(sessionId, purge) {
      bound.delete(sessionId);
      missed.delete(sessionId);
      if (purge) held.delete(sessionId);
      core.runner.unbind(sessionId, purge);
      if (!purge) return;
      tokens.delete(sessionId);
      contexts.delete(sessionId);
      if (policies.delete(sessionId)) for (const watcher of watchers) watcher.forget(sessionId);
    },
    linkChanged(journals) {
      bound.clear();
      held = new Map(journals);
    },
    heard: (sessionId, sourceId) => held.set(sessionId, sourceId),
    refresh,
    async agentChanged(agentId) {
      for (const [sessionId, context] of [...contexts])
        if (context.agentId === agentId) await refresh(sessionId);
    },
    context: (sessionId) => contexts.get(sessionId),
    egressPolicies: {
      watch(listener) {
        watchers.add(listener);
        for (const policy of policies.values()) listener.set(policy);
        return () => watchers.delete(listener);
      },
    },
  };
}

/** The agent's list, and the host that its repository is cloned from. */
function egressHosts(agent: Pick<AgentOfSession, 'egress' | 'repository'>): string[] {
  const repository = agent.repository === null ? [] : [new URL(agent.repository.url).hostname];
  return [...new Set([...(agent.egress?.allow ?? []), ...repository])];
}
