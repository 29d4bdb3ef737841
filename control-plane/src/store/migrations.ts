import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Migration {
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}
/** A row of `_prisma_migrations`. Rolled-back rows do not count. */
export interface AppliedMigration {
  readonly name: string;
  readonly finished: boolean;
  readonly rolledBack: boolean;
}
export type MigrationPlan =
  | { kind: 'apply'; missing: readonly Migration[] }
  | { kind: 'failed-before'; name: string }
  | { kind: 'newer-schema'; names: readonly string[] };

/** Pure. What to do, given what this build ships and what the database says was done. */
export function planMigrations(
  shipped: readonly Migration[],
  applied: readonly AppliedMigration[],
): MigrationPlan {
  const counting = applied.filter((row) => !row.rolledBack);
  const failed = counting.find((row) => !row.finished);
  if (failed) return { kind: 'failed-before', name: failed.name };
  const known = new Set(shipped.map((migration) => migration.name));
  // The Prisma CLI ignores these. We do not: an older build on a newer schema may write what the newer one cannot read.
  const unknown = counting.filter((row) => !known.has(row.name)).map((row) => row.name);
  if (unknown.length > 0) return { kind: 'newer-schema', names: unknown };
  const done = new Set(counting.map((row) => row.name));
  return { kind: 'apply', missing: shipped.filter((migration) => !done.has(migration.name)) };
}

/** Sub-folders with a `migration.sql`, by name. The checksum is Prisma's: sha256 of the file's bytes. */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(directory, name, 'migration.sql'));
      const checksum = createHash('sha256').update(bytes).digest('hex');
      return { name, checksum, sql: bytes.toString('utf8') };
    }),
  );
}
