import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { planMigrations, readMigrations, type Migration } from './migrations.ts';

const shipped: Migration[] = ['1_init', '2_more'].map((name) => ({ name, checksum: '', sql: '' }));
const row = (name: string, state: 'done' | 'failed' | 'rolled-back' = 'done') => ({
  name,
  finished: state === 'done',
  rolledBack: state === 'rolled-back',
});

test.each([
  ['nothing yet', [], { kind: 'apply', names: ['1_init', '2_more'] }],
  ['some', [row('1_init')], { kind: 'apply', names: ['2_more'] }],
  ['all', [row('1_init'), row('2_more')], { kind: 'apply', names: [] }],
  ['failed', [row('1_init', 'failed')], { kind: 'failed-before', name: '1_init' }],
  [
    'failed, then resolved',
    [row('1_init', 'rolled-back'), row('1_init')],
    { kind: 'apply', names: ['2_more'] },
  ],
  ['newer', [row('1_init'), row('3_later')], { kind: 'newer-schema', names: ['3_later'] }],
  [
    'newer, but rolled back',
    [row('3_later', 'rolled-back')],
    { kind: 'apply', names: ['1_init', '2_more'] },
  ],
])('%s', (_, applied, expected) => {
  const plan = planMigrations(shipped, applied);
  expect(
    plan.kind === 'apply' ? { kind: plan.kind, names: plan.missing.map((m) => m.name) } : plan,
  ).toEqual(expected);
});

test('our migrations are read in the order of their names, with the checksum of their bytes', async () => {
  const migrations = await readMigrations('control-plane/prisma/migrations');
  const names = migrations.map((migration) => migration.name);
  expect(names).toEqual([...names].sort());
  expect(migrations[0]?.checksum).toMatch(/^[0-9a-f]{64}$/);
});

test('the generated client was made from this schema', async () => {
  const schema = await readFile('control-plane/prisma/schema.prisma', 'utf8');
  const generated = await readFile('control-plane/src/generated/prisma/internal/class.ts', 'utf8');
  const inline = /"inlineSchema": ("(?:[^"\\]|\\.)*")/.exec(generated)?.[1] ?? '""';
  // Prisma keeps a formatted copy.
  const words = (text: string) => text.trim().split(/\s+/);
  expect(words(JSON.parse(inline) as string), 'run `npm run prisma -- generate`').toEqual(
    words(schema),
  );
});
