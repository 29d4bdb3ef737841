import type { SessionSpec } from '@berth/contract/link';
import type { Sandbox } from '../sandboxes/index.ts';
import { advance, resend } from './advance.ts';
import type { Core } from './core.ts';
import { readAgentOf, readState, writeFields, type SessionState } from './facts.store.ts';
import type { EgressGrant } from './ports.ts';
import type { AgentOfSession } from './sessions.store.ts';

/** What the gateway asks about a session whose runner is bound. */
export interface SessionContext {
  readonly teamId: string;
  readonly agentId: string;
  readonly model: string | null;
  readonly allowedModels: readonly string[];
}

export interface Binding {
  /** The sandbox runs: gives its runner all that it needs, then everything that it may have missed. */
  bind(sandbox: Sandbox, grant: EgressGrant): Promise<void>;
  /** A runner came (back): what could not be handed over is handed over. */
  bindMissed(): Promise<void>;
  unbind(sessionId: string, purge: boolean): void;
  /** The runner lost its link, or is back: the next report binds again. `journals`: session and source of each that it has. */
  linkChanged(journals: ReadonlyMap<string, string>): void;
  /** Items of this journal came. */
  heard(sessionId: string, sourceId: string): void;
  /** What the gateway lets this session do follows its rows again, at once. */
  refresh(sessionId: string): Promise<void>;
  agentChanged(agentId: string): Promise<void>;
  context(sessionId: string): SessionContext | undefined;
}

/** Which start of which sandbox. */
const nameOf = ({ generation, instance = '' }: Sandbox): string =>
  `${String(generation)} ${instance}`;

const agentsDir = (harness: string): string => `/opt/agents/${harness}`;

export function createBinding(core: Core): Binding {
  const contexts = new Map<string, SessionContext>();
  const bound = new Map<string, string>();
  const missed = new Map<string, { sandbox: Sandbox; grant: EgressGrant }>();
  /** The journals that the connected runner has, by session. */
  let held = new Map<string, string>();

  async function refresh(sessionId: string): Promise<void> {
    if (!contexts.has(sessionId)) return;
    const state = await readState(core.pool, sessionId);
    const agent = await readAgentOf(core.pool, sessionId);
    if (state !== null && agent !== null && contexts.has(sessionId))
      contexts.set(sessionId, contextOf(state, agent));
  }

  function specOf(
    state: SessionState,
    agent: AgentOfSession,
    { door, instance, agents = [] }: Sandbox & Required<Pick<Sandbox, 'door'>>,
    grant: EgressGrant,
  ): SessionSpec {
    const bound = agents.find(({ name }) => name === agent.harness);
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
      egressToken: grant.token,
      egressSocket: grant.socket,
    };
    if (instance !== undefined) spec.instance = instance;
    const model = state.model ?? agent.model;
    if (model !== null) spec.model = model;
    if (agent.instructions !== null) spec.instructions = agent.instructions;
    if (agent.repository !== null) spec.repository = agent.repository;
    if (state.agent_session_id !== null) spec.agentSessionId = state.agent_session_id;
    return spec;
  }

  async function bind(sandbox: Sandbox, grant: EgressGrant): Promise<void> {
    const { sessionId, door } = sandbox;
    await core.owner.run(sessionId, async (owned) => {
      const state = await readState(core.pool, sessionId);
      const agent = await readAgentOf(core.pool, sessionId);
      if (state === null || agent === null || state.deleted || door === undefined) return;
      if (state.desired !== 'running' || sandbox.generation !== state.generation) return;
      if (!core.runner.connected(sessionId)) {
        missed.set(sessionId, { sandbox, grant });
        return;
      }
      missed.delete(sessionId);
      const what = `${nameOf(sandbox)} ${grant.token}`;
      if (bound.get(sessionId) === what) return;
      // A journal that was counted and that the runner does not hold is lost. Known before anything is sent again to the one that takes its place.
      if (owned.sourceId !== null && held.get(sessionId) !== owned.sourceId)
        await core.owner.loseSource(owned);
      contexts.set(sessionId, contextOf(state, agent));
      const runnerId = core.runner.runnerOf(sessionId);
      await writeFields(core.pool, sessionId, {
        isolated: sandbox.isolated,
        ...(runnerId === undefined ? {} : { runnerId }),
      });
      core.runner.bind(specOf(state, agent, { ...sandbox, door }, grant));
      await resend(core, owned);
      // Only now: whatever failed before this line is done again by the next report.
      bound.set(sessionId, what);
      await advance(core, owned);
    });
  }

  return {
    bind,
    async bindMissed() {
      await Promise.all([...missed.values()].map(({ sandbox, grant }) => bind(sandbox, grant)));
    },
    unbind(sessionId, purge) {
      bound.delete(sessionId);
      missed.delete(sessionId);
      if (purge) held.delete(sessionId);
      core.runner.unbind(sessionId, purge);
      if (purge) contexts.delete(sessionId);
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
  };
}

/** Pure. What the gateway lets the session do. */
export function contextOf(
  state: Pick<SessionState, 'team_id' | 'model'>,
  agent: Pick<AgentOfSession, 'id' | 'model'>,
): SessionContext {
  const model = state.model ?? agent.model;
  return {
    teamId: state.team_id,
    agentId: agent.id,
    model,
    allowedModels: [...new Set([model, agent.model])].filter((name) => name !== null),
  };
}
