import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { harnessRecord, type HarnessRecord } from '@berth/contract/harness';
import * as z from 'zod/mini';

export interface FoundHarness {
  record: HarnessRecord;
  /** Its folder: `harness.json`, and the lock file where it installs something. */
  dir: string;
}
export interface BrokenHarness {
  path: string;
  detail: string;
}

const place = (path: readonly PropertyKey[]): string =>
  path.length === 0 ? 'the record' : path.map(String).join('.');

/** One record from its text; a string says what is wrong with it. */
export function parseRecord(folder: string, json: string): HarnessRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return error instanceof Error ? error.message : 'not JSON';
  }
  const parsed = z.safeParse(harnessRecord, value);
  if (!parsed.success) {
    return parsed.error.issues
      .map((issue) => `${place(issue.path)}: ${issue.message}`)
      .slice(0, 3)
      .join('; ');
  }
  if (parsed.data.id !== folder) return `id: is "${parsed.data.id}", the folder is "${folder}"`;
  return parsed.data;
}

/** Every folder that holds a `harness.json`, in the order of their names. */
export function readRecords(harnessesDir: string): {
  found: Map<string, FoundHarness>;
  broken: BrokenHarness[];
} {
  const found = new Map<string, FoundHarness>();
  const broken: BrokenHarness[] = [];
  for (const folder of readdirSync(harnessesDir).toSorted()) {
    const dir = join(harnessesDir, folder);
    const path = join(dir, 'harness.json');
    if (!existsSync(path)) continue;
    const record = parseRecord(folder, readFileSync(path, 'utf8'));
    if (typeof record === 'string') broken.push({ path, detail: record });
    else {
      const { lockFile, files = [] } = record.install ?? {};
      const absent = [lockFile, ...files].find(
        (name) => name !== undefined && !existsSync(join(dir, name)),
      );
      if (absent === undefined) found.set(record.id, { record, dir });
      else broken.push({ path, detail: `install: ${absent} is not there` });
    }
  }
  return { found, broken };
}

const recordFile = 'harness.json';
/** The record by which this installation is run: beside a newer one it stays as it was. Null: it has none, or it cannot be read any more. */
export function installedRecord(path: string, id: string): HarnessRecord | null {
  const file = join(path, recordFile);
  if (!existsSync(file)) return null;
  const record = parseRecord(id, readFileSync(file, 'utf8'));
  return typeof record === 'string' ? null : record;
}
/** A record may change while what it installs stays the same. */
export async function keepRecord(path: string, record: HarnessRecord): Promise<void> {
  const file = join(path, recordFile);
  const text = JSON.stringify(record);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  const beside = `${file}.part`;
  await writeFile(beside, text, { mode: 0o644 });
  await rename(beside, file);
}
