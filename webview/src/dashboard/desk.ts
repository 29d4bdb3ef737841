import {
  everything,
  type Attachment,
  type BerthClient,
  type Channels,
  type NewAgent,
} from '@berth/client';
import type {
  Agent,
  Approval,
  ChangedFile,
  ContentBlock,
  Harness,
  Me,
  Meta,
  PatchAgent,
  Session,
  Terminal,
} from '@berth/contract';
import { connectionOf, createBrowserHost, type Surroundings } from '../hosts/browser.ts';
import type { Connection, Hello, Host } from '../ipc/index.ts';
import { systemClock } from '../clock.ts';
import { modelsOf } from '../store/models.ts';
import { createStore, type Observable } from '../store/observable.ts';

export interface DeskState {
  readonly me: Me;
  readonly meta: Meta;
  readonly harnesses: readonly Harness[];
  readonly agents: readonly Agent[];
  readonly sessions: ReadonlyMap<string, Session>;
  /** The first snapshot has come. */
  readonly complete: boolean;
  readonly approvals: ReadonlyMap<string, Approval>;
  readonly connection: Connection;
}
/** What the dashboard's screens work with: what is, kept up to date, and what can be done. */
export interface Desk {
  readonly state: Observable<DeskState>;
  readonly newId: () => string;
  createSession(agentId: string, prompt: ContentBlock[]): Promise<Session>;
  saveAgent(before: Agent | null, agent: NewAgent): Promise<Agent>;
  removeAgent(id: string): Promise<void>;
  agent(id: string): Promise<Agent>;
  archived(): Promise<readonly Session[]>;
  decided(): Promise<readonly Approval[]>;
  decide(approval: Approval, optionId: string): Promise<Approval>;
  /** As it is now, whatever became of it. */
  approval(id: string): Promise<Approval>;
  reconnect(): void;
  chatHost(around: Surroundings): Host & { close(): void };
  terminals: {
    list(sessionId: string): Promise<readonly Terminal[]>;
    open(sessionId: string, kind: Terminal['kind'], size: Size): Promise<Terminal>;
    end(id: string): Promise<void>;
    attach(id: string, size: Size): Attachment;
  };
  changes: {
    list(sessionId: string): Promise<readonly ChangedFile[]>;
    diff(sessionId: string, path: string): Promise<string>;
  };
}
export interface Size {
  cols: number;
  rows: number;
}

/** Absent fields of a form clear what was there. */
export function patchOf(agent: NewAgent): PatchAgent {
  return {
    ...agent,
    model: agent.model ?? null,
    instructions: agent.instructions ?? null,
    repository: agent.repository ?? null,
    egress: agent.egress ?? null,
    idleSuspendMs: agent.idleSuspendMs ?? null,
  };
}

export async function openDesk(options: {
  client: BerthClient;
  channels: Channels;
  attach: (id: string, size: Size) => Attachment;
  storage: Storage;
}): Promise<Desk> {
  const { client, channels } = options;
  const listAgents = async (): Promise<Agent[]> => {
    const agents: Agent[] = [];
    for await (const agent of everything((query) => client.agents.list(query))) agents.push(agent);
    return agents;
  };
  const [me, meta, harnesses, agents] = await Promise.all([
    client.me(),
    client.meta(),
    client.harnesses(),
    listAgents(),
  ]);
  const store = createStore<DeskState>({
    me,
    meta,
    harnesses,
    agents,
    sessions: new Map(),
    complete: false,
    approvals: new Map(),
    connection: connectionOf(channels.state),
  });
  channels.onState((state) => store.update({ connection: connectionOf(state) }));
  channels.sessions(({ all }) => store.update({ sessions: new Map(all), complete: true }));
  channels.approvals(({ all }) => store.update({ approvals: new Map(all) }));

  const canWrite = me.roles.length === 0 || me.roles.some((role) => !/viewer/.test(role));
  const hello: Hello = {
    host: 'browser',
    sessionId: null,
    me: { id: me.id, name: me.name, team: me.team.name },
    canWrite,
    sendKey: 'enter',
    isolated: meta.isolation.isolated,
    editor: false,
  };
  return {
    state: store,
    newId: client.newId,
    createSession: (agentId, prompt) =>
      client.sessions.create({
        agentId,
        ...(prompt.length > 0 ? { prompt, turnId: client.newId() } : {}),
      }),
    saveAgent: async (before, agent) => {
      const saved = before
        ? await client.agents.patch(before.id, before.version, patchOf(agent))
        : await client.agents.create(agent);
      store.update({ agents: await listAgents() });
      return saved;
    },
    removeAgent: async (id) => {
      await client.agents.remove(id);
      store.update({ agents: await listAgents() });
    },
    agent: (id) => client.agents.get(id),
    archived: async () => (await client.sessions.list({ archived: true, limit: 200 })).items,
    decided: async () => {
      const { items } = await client.approvals.list({ limit: 50 });
      return items.filter(({ state }) => state !== 'waiting');
    },
    decide: (approval, optionId) =>
      client.approvals.decide(approval.id, { optionId, revision: approval.revision }),
    approval: (id) => client.approvals.get(id),
    reconnect: () => channels.reconnectNow(),
    chatHost: (around) =>
      createBrowserHost({
        client,
        channels,
        hello,
        clock: systemClock,
        models: (session) => modelsOf(session, store.get().agents, harnesses),
        around,
        storage: options.storage,
      }),
    terminals: {
      list: async (sessionId) =>
        (await client.terminals.list(sessionId)).filter(({ state }) => state === 'open'),
      open: (sessionId, kind, size) => client.terminals.open(sessionId, { kind, ...size }),
      end: (id) => client.terminals.close(id),
      attach: options.attach,
    },
    changes: {
      list: async (sessionId) => (await client.changes.list(sessionId)).files,
      diff: async (sessionId, path) => (await client.changes.diff(sessionId, path)).text(),
    },
  };
}
