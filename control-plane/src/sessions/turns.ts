import { Problem } from '@berth/contract';
import type { ContentBlock, Turn } from '@berth/contract';
import { mustActIn, type Actor } from '../identity/index.ts';
import { advance } from './advance.ts';
import { atOwner, sayOrLeave } from './commands.ts';
import { say, type Core } from './core.ts';
import { endIsTold } from './ends.ts';
import { turnEnded, turnQueued } from './entries.ts';
import { sessionLimits } from './limits.ts';
import { Elsewhere, type Owned } from './owner.ts';
import type { Turns } from './services.ts';
import { own, readable } from './reach.ts';
import { setIntent } from './sessions.store.ts';
import { hashOf } from './prompt.ts';
import { checkedCursor, inTransaction, isUuid, noSession, pageOf } from './sql.ts';
import { settleTurn } from './settle-turn.ts';
import { nextTurnState, turnEnds, type TurnEvent } from './turn.ts';
import * as store from './turns.store.ts';

const noTurn = (): Problem => new Problem('not-found', 'No such message.');

export function createTurns(core: Core): Turns {
  const { pool } = core;
  const now = () => new Date(core.clock.now());

  async function turnOf(sessionId: string, turnId: string): Promise<store.TurnRow> {
    const row = isUuid(turnId) ? await store.readTurn(pool, sessionId, turnId) : null;
    if (row === null) throw noTurn();
    return row;
  }
  async function turn(actor: Actor, sessionId: string, turnId: string): Promise<store.TurnRow> {
    await readable(core, actor, sessionId);
    return turnOf(sessionId, turnId);
  }
  /** For whoever changes it: one that is not there is nobody's. */
  async function ownTurn(actor: Actor, sessionId: string, turnId: string): Promise<store.TurnRow> {
    const session = await readable(core, actor, sessionId);
    const row = await turnOf(sessionId, turnId);
    mustActIn(actor, session.created_by_id);
    return row;
  }
  /** Ended for readers: the row says so, and the log has it, and with it everything that came before. */
  async function hasEnded(row: store.TurnRow): Promise<boolean> {
    if (!turnEnds.some((state) => state === row.state)) return false;
    const { state, resends } = row;
    return endIsTold({ state, resends, told: await store.toldEnds(pool, row.session_id, row.id) });
  }
  async function view(row: store.TurnRow): Promise<Turn> {
    if (!(await hasEnded(row))) return store.turnView(row);
    return { ...store.turnView(row), reply: await store.replyOf(pool, row.session_id, row.id) };
  }

  /** Elsewhere it may be found missing before anybody looks at what is left here, and the turn may be withdrawn before that: it is said once, and first. */
  async function sayQueued(row: store.TurnRow): Promise<void> {
    const { session_id: sessionId, id } = row;
    try {
      await core.owner.append(sessionId, async (owned) => {
        // Another process may have had the session in between, and found it missing.
        const told =
          owned.queued.delete(id) || (await store.turnHasEvent(pool, sessionId, id, 'turn.queued'));
        return told ? [] : [turnQueued(row, core.clock.now())];
      });
    } catch (error) {
      if (!(error instanceof Elsewhere)) throw error;
      await core.commands.leaveQueued(sessionId, id);
      return;
    }
    await atOwner(core, sessionId, (owned) => advance(core, owned));
  }

  async function create(
    actor: Actor,
    sessionId: string,
    archived: boolean,
    { id, prompt }: { id: string; prompt: ContentBlock[] },
  ): Promise<{ turn: Turn; created: boolean }> {
    const known = await store.readTurn(pool, sessionId, id);
    if (known === null && archived)
      throw new Problem('session-archived', 'Take it out of the archive first.');
    if (known === null && (await store.countQueued(pool, sessionId)) >= sessionLimits.queuedTurns)
      throw new Problem('too-many-requests', 'Too many messages wait in this session.');
    const promptHash = hashOf(prompt);
    const created =
      known === null &&
      (await inTransaction(pool, async (sql) => {
        const inserted = await store.insertTurn(
          sql,
          { id, sessionId, prompt, promptHash, at: now() },
          actor,
        );
        // A suspended session wakes by itself; a failed one gets another sandbox. With the row: a message that wakes nobody would wait for ever.
        const intent = { desired: 'running', replaceFailed: true } as const;
        if (inserted && !(await setIntent(sql, { id: sessionId, teamId: actor.teamId }, intent)))
          throw noSession();
        return inserted;
      }));
    const row = known ?? (await store.readTurn(pool, sessionId, id));
    if (row === null) throw noSession();
    if (!row.prompt_hash.equals(promptHash))
      throw new Problem('turn-id-reused', 'This id belongs to a message with another text.');
    if (!created) return { turn: await view(row), created };
    core.sandboxes.hint(sessionId);
    await sayQueued(row);
    return { turn: await view((await store.readTurn(pool, sessionId, id)) ?? row), created };
  }

  /** Compare-and-set, then its event, then whatever is due now. Null: it did not apply. */
  async function move(
    sessionId: string,
    turnId: string,
    event: TurnEvent,
    then: (owned: Owned, row: store.TurnRow) => Promise<void> | void,
  ): Promise<store.TurnRow | null> {
    let moved: store.TurnRow | null = null;
    const moveIt = async (): Promise<store.TurnRow | null> => {
      const before = await store.readTurn(pool, sessionId, turnId);
      const to = before === null ? null : nextTurnState(before.state, event);
      if (before === null || to === null || to === before.state) return null;
      moved = await store.moveTurn(pool, sessionId, turnId, event, to, now());
      return moved;
    };
    await atOwner(
      core,
      sessionId,
      async (owned) => {
        const row = await moveIt();
        if (row === null) return;
        await then(owned, row);
        await advance(core, owned, true);
      },
      {
        otherwise: async () => {
          // Whoever stored it may have died before it was said to be queued.
          await core.commands.leaveQueued(sessionId, turnId);
          await moveIt(); // its end is found missing
          return [];
        },
      },
    );
    return moved;
  }

  return {
    async create(actor, sessionId, input) {
      const { archived_at } = await own(core, actor, sessionId);
      const archived = archived_at !== null;
      return core.owner.guard(sessionId, () => create(actor, sessionId, archived, input));
    },
    async list(actor, sessionId, query) {
      await readable(core, actor, sessionId);
      const { limit, cursor, state } = query;
      const from = checkedCursor(cursor);
      const rows = await store.listTurns(pool, {
        teamId: actor.teamId,
        sessionId,
        ...(state === undefined ? {} : { state }),
        ...(from === undefined ? {} : { cursor: from }),
        limit: limit + 1,
      });
      return pageOf(rows, limit, store.turnView);
    },
    get: async (actor, sessionId, turnId) => view(await turn(actor, sessionId, turnId)),

    async patch(actor, sessionId, turnId, version, patch) {
      const before = await ownTurn(actor, sessionId, turnId);
      const { prompt, position } = patch;
      return core.owner.guard(sessionId, async () => {
        const changed = await store.editQueued(pool, sessionId, turnId, version, {
          ...(prompt === undefined ? {} : { prompt, promptHash: hashOf(prompt) }),
          // Behind the last one is behind the last one, however far.
          ...(position === undefined
            ? {}
            : { position: Math.min(position, sessionLimits.queuedTurns) }),
        });
        if (changed === null) {
          if (before.state === 'queued' && version !== null && before.version !== version)
            throw new Problem('version-stale', 'Read it again, then change it.');
          throw new Problem('turn-already-sent', 'The agent has it already.');
        }
        const row = await turn(actor, sessionId, turnId);
        const edited = [turnQueued(row, core.clock.now())];
        if (await sayOrLeave(core, sessionId, () => edited))
          await atOwner(core, sessionId, (owned) => advance(core, owned));
        return view(row);
      });
    },

    async withdraw(actor, sessionId, turnId) {
      const before = await ownTurn(actor, sessionId, turnId);
      const row = await move(sessionId, turnId, { kind: 'withdrawn' }, (owned, gone) =>
        say(owned, [turnEnded(gone, core.clock.now())]),
      );
      if (row !== null) return view(row);
      if (before.state === 'cancelled' && before.sent_at === null) return view(before);
      throw new Problem('turn-already-sent', 'The agent has it already.');
    },

    async settle(actor, sessionId, turnId, { answer }) {
      await ownTurn(actor, sessionId, turnId);
      const at = { sessionId, turnId };
      const row = await settleTurn(core, actor, at, answer, { revision: null, note: null });
      if (row === null)
        throw new Problem('turn-not-unknown', 'It is known what became of this message.');
      return view(row);
    },

    async ended(actor, sessionId, turnId, signal) {
      await turn(actor, sessionId, turnId);
      for (;;) {
        const next = nextChange(core, sessionId, signal);
        const row = await store.readTurn(pool, sessionId, turnId);
        if (row === null) throw noTurn();
        if (await hasEnded(row)) {
          next.stop();
          return view(row);
        }
        if (!(await next.came)) return null;
      }
    },
  };
}

/** Registered at once, so that nothing is missed between looking and waiting; looks again after a while even without a hint. */
function nextChange(
  core: Core,
  sessionId: string,
  signal: AbortSignal,
): { came: Promise<boolean>; stop: () => void } {
  const { promise: came, resolve } = Promise.withResolvers<boolean>();
  const finish = (result: boolean) => {
    clearTimeout(timer);
    forget();
    signal.removeEventListener('abort', aborted);
    resolve(result);
  };
  const aborted = () => finish(false);
  const timer = setTimeout(() => finish(true), sessionLimits.pollMs);
  const forget = core.changes.listen((change) => {
    if (change.sessionId === sessionId) finish(true);
  });
  signal.addEventListener('abort', aborted, { once: true });
  if (signal.aborted) aborted();
  return { came, stop: () => finish(false) };
}
