import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Stored } from './entry.ts';
import { Feed } from './feed.ts';
import type { EventTable } from './replay.ts';
import { Subscription } from './subscription.ts';

/**
 * A model of the table under a scheduler that delays and reorders every read; hints come late, twice, out of order or never. Three processes, the first
 * of which writes.
 */
type Step =
  | { do: 'append'; count: number; lateHint: boolean }
  | { do: 'fold'; back: number; length: number }
  | { do: 'subscribe'; process: number; back: number; bufferBytes: number }
  | { do: 'poll'; process: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 4 }),
      lateHint: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('fold' as const), back: fc.nat(6), length: fc.nat(5) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      process: fc.nat(2),
      back: fc.nat(20),
      bufferBytes: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('poll' as const), process: fc.nat(2) }) },
);

interface Viewer {
  after: number;
  got: number[];
  live: number;
}

async function play(
  scheduler: fc.Scheduler,
  steps: readonly Step[],
  register = true,
): Promise<void> {
  let rows: Stored[] = [];
  let last = 0;
  const superseded = new Set<number>();
  // A page is never full in the model, so that the feed passes over superseded ends in every read.
  const table: EventTable = {
    async page(_id, after, to) {
      await scheduler.schedule(Promise.resolve(), 'read');
      const found = rows.filter(({ seq }) => seq > after && seq <= to && !superseded.has(seq));
      await scheduler.schedule(Promise.resolve(), 'reply');
      return found;
    },
    async lastSeq() {
      await scheduler.schedule(Promise.resolve(), 'read head');
      const seq = last;
      await scheduler.schedule(Promise.resolve(), 'reply head');
      return seq;
    },
  };
  const failed = (error: unknown) => {
    throw error;
  };
  const feeds = [0, 1, 2].map(() => new Feed({ sessionId: 's', table, failed }));
  const feed = (i: number): Feed => {
    const found = feeds[i];
    if (found === undefined) throw new Error('no such process');
    return found;
  };
  const viewers: Viewer[] = [];
  const running: Promise<unknown>[] = [];
  for (const item of steps) {
    if (item.do === 'append') {
      const batch = Array.from({ length: item.count }, () => ({
        seq: ++last,
        kind: 'x',
        json: 'j',
      }));
      rows = [...rows, ...batch];
      // Committed; the writer's reply, and the hints, come when they come, but the replies of one writer in order.
      feed(0).local(batch);
      const seq = last;
      if (item.lateHint)
        for (const other of [1, 2])
          running.push(
            scheduler.schedule(Promise.resolve(), 'hint').then(() => feed(other).hint(seq)),
          );
    } else if (item.do === 'fold') {
      const to = last - item.back;
      for (let seq = Math.max(1, to - item.length); seq <= to; seq++) superseded.add(seq);
    } else if (item.do === 'poll') {
      running.push(table.lastSeq('s').then((seq) => feed(item.process).hint(seq ?? 0)));
    } else {
      const viewer: Viewer = { after: Math.max(0, last - item.back), got: [], live: -1 };
      viewers.push(viewer);
      const subscription = new Subscription({
        feed: feed(item.process),
        table,
        sessionId: 's',
        after: viewer.after,
        bufferBytes: item.bufferBytes,
        reader: {
          events: (batch) => viewer.got.push(...batch.map(({ seq }) => seq)) > 0,
          live: (seq) => {
            viewer.live = seq;
          },
          resync: () => failed(new Error('nobody is slow here')),
        },
      });
      running.push(
        subscription.register().then(() => {
          // The mutant: a reader that registers only after it has read.
          if (!register) feed(item.process).readers.delete(subscription);
          return subscription.run().then(() => {
            if (!register) feed(item.process).readers.add(subscription);
          });
        }),
      );
    }
    await scheduler.waitNext(Math.min(1, scheduler.count()));
  }
  await scheduler.waitIdle();
  for (const one of feeds) one.hint(last);
  await scheduler.waitIdle();
  await Promise.all(running);
  for (const { after, got, live } of viewers) {
    expect(live).toBeGreaterThanOrEqual(0);
    expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
    expect(got.every((seq) => seq > after)).toBe(true);
    const have = new Set(got);
    for (let seq = after + 1; seq <= last; seq++)
      if (!superseded.has(seq))
        expect(have.has(seq), `${String(seq)} of ${String(last)}`).toBe(true);
  }
  for (const one of feeds) one.close();
}

const history = fc.array(step, { minLength: 1, maxLength: 40 });

test('no gap, no repeat, in order, for every reader on every process', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), history, (scheduler, steps) => play(scheduler, steps)),
    { numRuns: 600 },
  );
});

test('the property notices a reader that registers after its read', async () => {
  await expect(
    fc.assert(
      fc.asyncProperty(fc.scheduler(), history, (scheduler, steps) =>
        play(scheduler, steps, false),
      ),
      { numRuns: 600 },
    ),
  ).rejects.toThrow();
});
