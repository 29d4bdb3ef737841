import { Problem } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';
import { advance } from './advance.ts';
import type { Binding } from './binding.ts';
import { say, type Core } from './core.ts';
import { ofTurn } from './delivery.ts';
import { turnEnded } from './entries.ts';
import { effectOf } from './effects.ts';
import { moveOwned } from './move-owned.ts';
import { deltaOf, refusal, type Effect } from './item-entries.ts';
import { sessionLimits } from './limits.ts';
import type { LogWriter } from './log/writer.ts';
import { isTransient } from './log/sqlstate.ts';
import { Elsewhere, type Owned } from './owner.ts';
import type { RunnerEvents } from './ports.ts';
import { throughOutages } from './sql.ts';

type Ingest = Pick<RunnerEvents, 'events' | 'drained' | 'accepted' | 'refused'>;

/** From the runner's journal into the log: each item once, in its order, acknowledged only when it is committed. */
export function createIngest(
  core: Core,
  writer: LogWriter,
  binding: Pick<Binding, 'heard'>,
): Ingest {
  let inbox = 0;
  let waiting: (() => void)[] = [];

  function done(count: number): void {
    inbox -= count;
    if (inbox > sessionLimits.inboxItems / 2) return;
    const tell = waiting;
    waiting = [];
    for (const resolve of tell) resolve();
  }

  function failed(sessionId: string, error: unknown): void {
    if (error instanceof Problem && error.code === 'not-found') {
      // Deleted meanwhile: the runner may forget it too.
      core.runner.unbind(sessionId, true);
      return;
    }
    if (error instanceof Elsewhere)
      core.logger.warn({ sessionId }, 'a runner whose link another process has by now');
    else core.logger.error({ err: error, sessionId }, 'the items of a runner were not taken');
    core.runner.drop(sessionId);
  }

  return {
    events(sessionId, sourceId, items) {
      inbox += items.length;
      binding.heard(sessionId, sourceId);
      const work = core.owner
        .run(sessionId, (owned) => take(core, owned, sourceId, items), { sourceId })
        .catch((error: unknown) => failed(sessionId, error))
        .finally(() => done(items.length));
      core.background(work, 'items of a runner');
      return inbox <= sessionLimits.inboxItems && !writer.full;
    },

    async drained() {
      if (inbox > sessionLimits.inboxItems)
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      await writer.drained();
    },

    accepted: (sessionId, delivery) =>
      core.owner.run(sessionId, async (owned) => {
        const turnId = owned.deliveries.get(delivery) ?? delivery;
        const at = new Date(core.clock.now());
        await throughOutages(
          () => moveOwned(core, owned, turnId, { kind: 'accepted' }, 'accepted', at),
          core.signal,
        );
        core.changes.tell({ teamId: owned.teamId, sessionId, approvals: false });
      }),

    refused: (sessionId, delivery, code, detail) =>
      core.owner.run(sessionId, async (owned) => {
        const turnId = owned.deliveries.get(delivery) ?? delivery;
        const at = core.clock.now();
        const turn = await throughOutages(
          () =>
            moveOwned(core, owned, turnId, { kind: 'refused' }, 'failed', new Date(at), {
              error: { code, detail },
            }),
          core.signal,
        );
        if (turn === null) return;
        say(owned, [turnEnded(turn, at)]);
        await throughOutages(() => advance(core, owned), core.signal);
      }),
  };
}

async function take(
  core: Core,
  owned: Owned,
  sourceId: string,
  items: readonly SourceItem[],
): Promise<void> {
  const { log } = owned;
  for (const sent of items) {
    const item = ofTurn(sent, owned.deliveries);
    // Sent again after a reconnect; it is stored, or queued and will be acknowledged.
    if (item.n <= owned.received) continue;
    if (item.n !== owned.received + 1 || log.lost !== null) {
      core.logger.warn(
        { sessionId: owned.sessionId, n: item.n, expected: owned.received + 1 },
        'items of a runner are missing: it must send again',
      );
      core.runner.drop(owned.sessionId);
      return;
    }
    const delta = deltaOf(item, core.clock.now());
    const effect = delta === null ? await rowsAndEntries(core, owned, item) : { entries: [delta] };
    owned.received = item.n;
    const woke = owned.status === 'stalled';
    owned.heardAt = core.clock.now();
    log.append({
      entries: effect.entries,
      source: item.n,
      done: (lost) => {
        if (lost !== null) return;
        acknowledge(core, owned, sourceId, item.n);
        if (effect.committed !== undefined)
          core.background(
            throughOutages(effect.committed, core.signal),
            'after an item was committed',
          );
      },
    });
    if (effect.advance !== undefined || woke)
      await throughOutages(() => advance(core, owned, effect.advance === 'approvals'), core.signal);
  }
}

/** An item whose rows cannot be written for a reason of ours must not stop the session for ever: it becomes an error that a person sees. */
async function rowsAndEntries(core: Core, owned: Owned, item: SourceItem): Promise<Effect> {
  try {
    return await throughOutages(() => effectOf(core, owned, item), core.signal);
  } catch (error) {
    if (isTransient(error) || error instanceof Elsewhere) throw error;
    const { sessionId } = owned;
    core.logger.error({ err: error, sessionId, kind: item.kind }, 'an item could not be taken in');
    return { entries: [refusal(item, 'it could not be taken in', core.clock.now())] };
  }
}

/** Once per commit: the last of the group's items speaks for all. */
function acknowledge(core: Core, owned: Owned, sourceId: string, n: number): void {
  if (owned.sourceId !== sourceId) return;
  const first = !pending.has(owned);
  owned.committed = Math.max(owned.committed, n);
  if (!first) return;
  pending.add(owned);
  queueMicrotask(() => {
    pending.delete(owned);
    core.runner.ack(owned.sessionId, sourceId, owned.committed);
  });
}
const pending = new WeakSet<Owned>();
