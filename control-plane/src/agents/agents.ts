import type { Agent, CreateAgent, Harness, Page, PatchAgent } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { Clock } from '../clock.ts';
import type { Actor } from '../identity/index.ts';
import type { NewId } from '../ids.ts';
import { agentOf, checkRunnable, patched, valuesOf } from './agent.ts';
import type { AgentRow, Sql } from './agents.store.ts';
import * as store from './agents.store.ts';

export type Agents = ReturnType<typeof createAgents>;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const unknown = () => new Problem('not-found', 'No such agent.');
const rehearsal = 'rehearsal';

export function createAgents({
  sql,
  clock,
  newId,
  harnesses,
  changed,
}: {
  sql: Sql;
  clock: Clock;
  newId: NewId;
  harnesses: { list(): Promise<Harness[]> };
  /** Told after a change: what sessions of it may do follows. */
  changed: (agentId: string) => Promise<void>;
}) {
  const now = () => new Date(clock.now());

  async function row(actor: Pick<Actor, 'teamId'>, id: string): Promise<AgentRow> {
    const found = await store.findAgent(sql, actor.teamId, id);
    if (found === null) throw unknown();
    return found;
  }

  /** `id`: the same id again is the same agent. */
  async function create(
    actor: Pick<Actor, 'teamId'>,
    input: CreateAgent,
    id: string = newId(),
  ): Promise<Agent> {
    const values = valuesOf(input);
    checkRunnable(values, await harnesses.list());
    const key = { id, teamId: actor.teamId, at: now() };
    return agentOf((await store.insertAgent(sql, key, values)) ?? (await row(actor, id)));
  }

  return {
    async list(
      actor: Pick<Actor, 'teamId'>,
      query: { limit: number; cursor?: string },
    ): Promise<Page<Agent>> {
      if (query.cursor !== undefined && !uuid.test(query.cursor)) {
        throw new Problem('invalid-request', 'The cursor is not one that this list gave out.', {
          errors: [{ pointer: '?cursor', detail: 'not a cursor' }],
        });
      }
      // One more than asked for says whether there is a next page.
      const rows = await store.listAgents(sql, actor.teamId, {
        limit: query.limit + 1,
        before: query.cursor ?? null,
      });
      const items = rows.slice(0, query.limit).map(agentOf);
      return { items, nextCursor: rows.length > items.length ? (items.at(-1)?.id ?? null) : null };
    },

    async get(actor: Pick<Actor, 'teamId'>, id: string): Promise<Agent> {
      return agentOf(await row(actor, id));
    },

    create,

    async patch(
      actor: Pick<Actor, 'teamId'>,
      id: string,
      version: number,
      patch: PatchAgent,
    ): Promise<Agent> {
      const before = await row(actor, id);
      const stale = new Problem('version-stale', 'Read it again, then change it.');
      if (before.version !== version) throw stale;
      const values = patched(before, patch);
      checkRunnable(values, await harnesses.list());
      const key = { id, teamId: actor.teamId, version, at: now() };
      const after = await store.updateAgent(sql, key, values);
      if (after === null) throw stale;
      await changed(id);
      return agentOf(after);
    },

    /** Refused while it has sessions, archived ones included: their record says what they run with. */
    async remove(actor: Pick<Actor, 'teamId'>, id: string): Promise<void> {
      const outcome = await store.deleteAgent(sql, { id, teamId: actor.teamId, at: now() });
      if (outcome === 'unknown') throw unknown();
      if (outcome === 'in-use')
        throw new Problem('agent-in-use', 'Delete its sessions first; archived ones count too.');
    },

    /** The ready-made agent of a first start. A team that deleted or renamed it does not get it again. */
    async ensureRehearsal(teamId: string): Promise<Agent> {
      const present = await store.findAgentOfHarness(sql, teamId, rehearsal);
      if (present !== null) return agentOf(present);
      return create({ teamId }, { name: 'Rehearsal', harness: rehearsal, mode: 'ask' });
    },
  };
}
