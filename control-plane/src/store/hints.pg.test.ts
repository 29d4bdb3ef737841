import { expect, test, vi } from 'vitest';
import { createHints, type Hint } from './index.ts';
import { testDatabase, testLogger } from './testing/index.ts';

const until = <T>(condition: () => T) => vi.waitFor(condition, { timeout: 10_000, interval: 5 });

test('a hint reaches other processes and our own, once for all that was said at a time', async () => {
  await using db = await testDatabase();
  await using ours = await createHints({ store: db.store, logger: testLogger });
  await using theirs = await createHints({ store: db.store, logger: testLogger });
  const heard: Record<'ours' | 'theirs' | 'other', Hint[]> = { ours: [], theirs: [], other: [] };
  await ours.listen('log', (hint) => heard.ours.push(hint));
  await theirs.listen('log', (hint) => heard.theirs.push(hint));
  await theirs.listen('other', (hint) => heard.other.push(hint));

  for (let seq = 1; seq <= 100; seq += 1) ours.publish('log', `s1:${seq}`, 's1');
  ours.publish('log', 's2:1', 's2');

  await until(() => expect(heard.theirs).toEqual([['s1:100', 's2:1']]));
  await until(() => expect(heard.ours).toEqual([['s1:100', 's2:1']]));
  ours.publish('other', 'x');
  await until(() => expect(heard.other).toEqual([['x']]));
  expect(heard.theirs).toHaveLength(1);
});

test('more than one notification holds arrives complete', async () => {
  await using db = await testDatabase();
  await using hints = await createHints({ store: db.store, logger: testLogger });
  const heard = new Set<string>();
  await hints.listen('log', (hint) => {
    if (hint !== 'everything') for (const one of hint) heard.add(one);
  });
  const sent = Array.from({ length: 1_000 }, (_, n) => `01890000-0000-7000-8000-${n}:${n}`);
  for (const hint of sent) hints.publish('log', hint);
  await until(() => expect([...heard].sort()).toEqual([...sent].sort()));
});

test('after its connection was killed a listener is told to look at everything, and hears on', async () => {
  await using db = await testDatabase();
  await using hints = await createHints({
    store: db.store,
    logger: testLogger.child({}, { level: 'fatal' }),
  });
  await using others = await createHints({ store: db.store, logger: testLogger });
  const heard: Hint[] = [];
  await hints.listen('log', (hint) => heard.push(hint));

  await db.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'berth hints' and query like 'listen%'`,
  );
  await until(() => expect(heard).toEqual(['everything']));
  others.publish('log', 'after');
  await until(() => expect(heard).toEqual(['everything', ['after']]));
});

test('who stopped listening hears nothing more', async () => {
  await using db = await testDatabase();
  await using hints = await createHints({ store: db.store, logger: testLogger });
  const first: Hint[] = [];
  const second: Hint[] = [];
  const stop = await hints.listen('log', (hint) => first.push(hint));
  await hints.listen('log', (hint) => second.push(hint));
  hints.publish('log', 'one');
  await until(() => expect(second).toEqual([['one']]));
  stop();
  hints.publish('log', 'two');
  await until(() => expect(second).toEqual([['one'], ['two']]));
  expect(first).toEqual([['one']]);
});

test('a hint that could never arrive is refused where it is made', async () => {
  await using db = await testDatabase();
  await using hints = await createHints({ store: db.store, logger: testLogger });
  expect(() => hints.publish('log', 'two\nlines')).toThrow('a hint is one short line');
});
