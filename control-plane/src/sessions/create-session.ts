import { Problem } from '@berth/contract';
import type { CreateSession, Session } from '@berth/contract';
import type { Actor } from '../identity/index.ts';
import { advance } from './advance.ts';
import { atOwner } from './commands.ts';
import { changed, say, type Core } from './core.ts';
import { entryOf, turnQueued } from './entries.ts';
import * as store from './sessions.store.ts';
import { inTransaction } from './sql.ts';
import { hashOf, titleOf } from './prompt.ts';
import { insertTurn, readTurn } from './turns.store.ts';

/**
 * The rows in one transaction, then the first events; the sandbox comes later, by itself. Under an id that was given out before, it makes what is missing: who
 * was the first may have died anywhere in between.
 */
export async function createSession(
  core: Core,
  actor: Actor,
  input: CreateSession,
  given?: string,
): Promise<Session> {
  const known = given === undefined ? null : await store.readSession(core.pool, actor, given);
  if (known !== null) {
    core.sandboxes.hint(known.id);
    // Events that the first one did not come to say are found missing.
    await atOwner(core, known.id, (owned) => advance(core, owned), { lookAgain: true });
    return store.sessionView((await store.readSession(core.pool, actor, known.id)) ?? known);
  }
  const agent = await store.readAgent(core.pool, actor.teamId, input.agentId);
  if (agent === null) throw new Problem('not-found', 'No such agent.');
  const harness = core.harnesses.record(agent.harness);
  if (harness.protocol !== 'none' && agent.model === null)
    throw new Problem('model-required', `${harness.title} needs a model; the agent names none.`);
  const id = given ?? core.newId();
  const turnId = input.turnId ?? core.newId();
  const { prompt } = input;
  const at = new Date(core.clock.now());
  await inTransaction(core.pool, async (sql) => {
    await store.insertSession(sql, {
      id,
      teamId: actor.teamId,
      agentId: agent.id,
      title: input.title ?? titleOf(prompt),
      titleByUser: input.title !== undefined,
      driver: core.config.driver,
      isolated: core.config.isolated,
      mode: agent.mode,
      model: agent.model,
      awaitArchive: input.awaitArchive ?? false,
      by: { id: actor.userId, name: actor.userName },
      at,
    });
    if (prompt !== undefined)
      await insertTurn(
        sql,
        { id: turnId, sessionId: id, prompt, promptHash: hashOf(prompt), at },
        actor,
      );
  });
  core.sandboxes.hint(id);
  const requested = () => entryOf('sandbox.phase', { phase: 'requested' }, core.clock.now());
  await atOwner(
    core,
    id,
    async (owned) => {
      const now = core.clock.now();
      const turn = prompt === undefined ? null : await readTurn(core.pool, id, turnId);
      say(owned, [
        entryOf('session.status', { status: 'starting' }, now),
        requested(),
        ...(turn === null ? [] : [turnQueued(turn, now)]),
      ]);
      await advance(core, owned);
      changed(core, owned);
    },
    // Its status and its turn are found without their events.
    { isNew: true, otherwise: () => [requested()] },
  );
  const row = await store.readSession(core.pool, actor, id);
  if (row === null) throw new Problem('not-found', 'It was deleted at once.');
  return store.sessionView(row);
}
