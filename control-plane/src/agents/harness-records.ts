import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
    else if (record.install !== undefined && !existsSync(join(dir, record.install.lockFile)))
      broken.push({ path, detail: `install.lockFile: ${record.install.lockFile} is not there` });
    else found.set(record.id, { record, dir });
  }
  return { found, broken };
}
