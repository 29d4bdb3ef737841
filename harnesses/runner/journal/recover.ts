import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceItem } from '@berth/contract/link';
import { emptyLedger, foldItem, foldNote, type Ledger, type Note } from './ledger.ts';
import { decodeLines } from './line.ts';

export type Entry =
  | { t: 'head'; sourceId: string; lastN: number; ledger: Ledger }
  | { t: 'item'; item: SourceItem }
  | { t: 'note'; note: Note };

export interface Segment {
  index: number;
  path: string;
  /** Highest item before it. */
  before: number;
  /** Highest item in it or before it. */
  lastN: number;
  bytes: number;
}
export interface Found {
  segments: Segment[];
  sourceId: string;
  lastN: number;
  ledger: Ledger;
  damaged: boolean;
}

/** Reads what is there, cuts a torn end off, and puts aside what cannot be read. */
export async function recover(dir: string): Promise<Found | null> {
  const names = (await readdir(dir)).filter((name) => /^\d{8}\.log$/.test(name)).sort();
  let found: Found | null = null;
  for (const [at, name] of names.entries()) {
    const path = join(dir, name);
    const lines = decodeLines(await readFile(path));
    const head = lines.values[0]?.value as Entry | undefined;
    if (head?.t !== 'head') {
      // Torn while it was begun: its predecessor is still there and whole.
      if (at === names.length - 1) await rm(path);
      else if (found) found.damaged = true;
      continue;
    }
    if (found === null)
      found = {
        segments: [],
        sourceId: head.sourceId,
        lastN: 0,
        ledger: emptyLedger,
        damaged: false,
      };
    found.lastN = head.lastN;
    found.ledger = head.ledger;
    const segment: Segment = {
      index: Number.parseInt(name, 10),
      path,
      before: head.lastN,
      lastN: head.lastN,
      bytes: lines.goodBytes,
    };
    for (const { value } of lines.values) {
      const entry = value as Entry;
      if (entry.t === 'item') {
        segment.lastN = found.lastN = entry.item.n;
        found.ledger = foldItem(found.ledger, entry.item);
      } else if (entry.t === 'note') found.ledger = foldNote(found.ledger, entry.note);
    }
    found.segments.push(segment);
    if (lines.damaged) found.damaged = true;
  }
  return found;
}
