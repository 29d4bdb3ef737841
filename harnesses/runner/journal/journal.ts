import { mkdir, open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceItem } from '@berth/contract/link';
import type { NewId } from '../ids.ts';
import { limits } from '../limits.ts';
import { emptyLedger, foldItem, foldNote, type Ledger, type Note } from './ledger.ts';
import { decodeLines, encodeLine } from './line.ts';
import { recover, type Entry, type Segment } from './recover.ts';

/**
 * What a session's runner must not forget, in one append-only file cut into segments: events on their way to the log, and notes about the
 * agent's conversation. One file, so that "the turn ended" and its event cannot fall apart. Each segment begins with all that its
 * predecessors amount to (`head`), so they can be dropped when their events are acked.
 *
 *   <dir>/00000001.log …      one line per entry: checksum, JSON
 */
export type NewItem = Omit<SourceItem, 'n'>;

export interface Journal extends AsyncDisposable {
  readonly sourceId: string;
  /** Lowest number from which on everything is still here; behind the last, when nothing is. */
  readonly firstN: number;
  /** Highest number given out, and highest that is on disk. */
  readonly lastN: number;
  readonly durableN: number;
  readonly ledger: Ledger;
  /** Why nothing can be written now, in the system's words. */
  readonly blocked: string | null;
  /** Too much waits for the disk: take in no more until `onChange`. */
  readonly full: boolean;
  /** The journal that was found could not be read to its end. */
  readonly damaged: boolean;
  put(...items: readonly NewItem[]): void;
  note(note: Note): void;
  /** Everything so far is on disk. Waits as long as the disk takes. */
  synced(): Promise<void>;
  /** Durable items from `from` on, up to a batch. */
  read(from: number): Promise<SourceItem[]>;
  /** Everything up to `n` is in the log: it may go. Less than before: the log was replaced by an older one, and needs what is left. */
  ack(n: number): void;
}

export interface JournalOptions {
  dir: string;
  newId: NewId;
  /** More is durable, or `blocked` or `full` changed. */
  onChange: () => void;
  /** Replaces writing and syncing one batch; tests fail it here. */
  write?: (file: FileHandle, bytes: Buffer, position: number) => Promise<void>;
  segmentBytes?: number;
  /** It is older than what was already taken from it: put aside as a damaged one is. */
  rolledBack?: boolean;
}

const nameOf = (index: number): string => `${String(index).padStart(8, '0')}.log`;

async function writeAndSync(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  await file.datasync();
}

async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir, newId, onChange } = options;
  const write = options.write ?? writeAndSync;
  const segmentBytes = options.segmentBytes ?? limits.segmentBytes;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const found = await recover(dir);
  const damaged = found?.damaged ?? false;
  const unsure = damaged || options.rolledBack === true;
  if (unsure)
    for (const name of (await readdir(dir)).filter((each) => /^\d/.test(each)))
      await rename(join(dir, name), join(dir, `${damaged ? 'damaged' : 'rolled-back'}-${name}`));

  // Numbers of a damaged journal may have been sent: a fresh source never gives one of them out again.
  const kept = unsure ? null : found;
  const sourceId = kept?.sourceId ?? newId();
  let lastN = kept?.lastN ?? 0;
  let durableN = lastN;
  let ledger = found?.ledger ?? emptyLedger;
  const segments: Segment[] = kept?.segments ?? [];
  let blocked: string | null = null;
  let closed = false;
  let pending: { line: string; n?: number }[] = [];
  let pendingBytes = 0;
  let flushing: Promise<void> | null = null;
  let retry: NodeJS.Timeout | undefined;
  /** Entries taken in, and on disk; a waiter is served when what was taken in before it is on disk. */
  let taken = 0;
  let written = 0;
  const waiting: { upTo: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  const cache: { item: SourceItem; bytes: number }[] = [];
  let cacheBytes = 0;
  let full = false;

  let segment: Segment;
  let file: FileHandle;
  const last = segments.at(-1);
  if (last) {
    segment = last;
    file = await open(last.path, 'r+');
    await file.truncate(last.bytes);
  } else ({ segment, file } = await begin(1, { lastN, ledger }));

  async function begin(
    index: number,
    at: { lastN: number; ledger: Ledger },
  ): Promise<{ segment: Segment; file: FileHandle }> {
    const path = join(dir, nameOf(index));
    const handle = await open(path, 'w+', 0o600);
    try {
      const head = Buffer.from(encodeLine({ t: 'head', sourceId, ...at } satisfies Entry));
      await write(handle, head, 0);
      await syncDir(dir);
      const begun = { index, path, before: at.lastN, lastN: at.lastN, bytes: head.length };
      segments.push(begun);
      return { segment: begun, file: handle };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  function enqueue(entry: Entry, n?: number): number {
    const line = encodeLine(entry);
    taken++;
    pending.push(n === undefined ? { line } : { line, n });
    pendingBytes += line.length;
    if (pendingBytes > limits.journalPendingBytes && !full) {
      full = true;
      onChange();
    }
    flush();
    return line.length;
  }

  /** Leading edge: the first entry goes at once, whatever comes meanwhile goes together after it. */
  function flush(): void {
    if (flushing !== null || retry !== undefined || closed) return;
    flushing = writeAll().finally(() => {
      flushing = null;
      if (pending.length > 0) flush();
    });
  }

  async function writeAll(): Promise<void> {
    while (pending.length > 0) {
      const batch = pending;
      const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
      // What stands at the end of this batch: nothing is folded in between, this function has not waited yet.
      const at = { lastN, ledger, taken };
      pending = [];
      pendingBytes = 0;
      try {
        await write(file, bytes, segment.bytes);
      } catch (error) {
        pending = [...batch, ...pending];
        pendingBytes = pending.reduce((sum, { line }) => sum + line.length, 0);
        stop(error);
        return;
      }
      segment.bytes += bytes.length;
      const newest = batch.findLast(({ n }) => n !== undefined)?.n;
      if (newest !== undefined) segment.lastN = durableN = newest;
      blocked = null;
      full = pendingBytes > limits.journalPendingBytes;
      written = at.taken;
      while ((waiting[0]?.upTo ?? Infinity) <= written) waiting.shift()?.resolve();
      onChange();
      if (segment.bytes > segmentBytes) await rotate({ lastN: at.lastN, ledger: at.ledger });
    }
  }

  async function rotate(at: { lastN: number; ledger: Ledger }): Promise<void> {
    try {
      // The head says what stood at the end of the old segment; what was folded since is still pending.
      const begun = await begin(segment.index + 1, at);
      const old = file;
      ({ segment, file } = begun);
      await old.close();
      drop();
    } catch {
      // No room for another segment: this one grows on, and the next batch tries again.
    }
  }

  function stop(error: unknown): void {
    blocked = error instanceof Error ? error.message : String(error);
    onChange();
    retry = setTimeout(() => {
      retry = undefined;
      flush();
    }, limits.diskRetryMs);
  }

  let acked = 0;
  function drop(): void {
    for (const old of [...segments]) {
      if (old === segment || old.lastN > acked) return;
      segments.splice(segments.indexOf(old), 1);
      rm(old.path, { force: true }).catch(() => undefined); // left behind, it is dropped with the next one after a restart
    }
  }

  return {
    sourceId,
    get firstN() {
      let first = segment.before + 1;
      for (const { before, lastN: end } of segments.slice(0, -1).reverse()) {
        if (end !== first - 1) break; // one that was to be dropped, and was left behind
        first = before + 1;
      }
      return first;
    },
    get lastN() {
      return lastN;
    },
    get durableN() {
      return durableN;
    },
    get ledger() {
      return ledger;
    },
    get blocked() {
      return blocked;
    },
    get full() {
      return full || blocked !== null;
    },
    damaged,
    put(...items) {
      for (const fields of items) {
        const item: SourceItem = { n: ++lastN, ...fields };
        ledger = foldItem(ledger, item);
        const bytes = enqueue({ t: 'item', item }, item.n);
        cache.push({ item, bytes });
        cacheBytes += bytes;
      }
      while (cacheBytes > limits.journalCacheBytes && cache.length > 1)
        cacheBytes -= cache.shift()?.bytes ?? 0;
    },
    note(note) {
      ledger = foldNote(ledger, note);
      enqueue({ t: 'note', note });
    },
    synced() {
      if (written === taken) return Promise.resolve();
      if (closed) return Promise.reject(new Error('the journal is closed'));
      return new Promise((resolve, reject) => {
        waiting.push({ upTo: taken, resolve, reject });
      });
    },
    async read(from) {
      const batch: SourceItem[] = [];
      let bytes = 0;
      const room = () => batch.length < limits.batchItems && bytes < limits.batchBytes;
      const oldest = cache[0]?.item.n ?? lastN + 1;
      if (from >= oldest) {
        for (let at = from - oldest; at < cache.length && room(); at++) {
          const cached = cache[at];
          if (!cached || cached.item.n > durableN) break;
          batch.push(cached.item);
          bytes += cached.bytes;
        }
        return batch;
      }
      const holder = segments.find((one) => one.lastN >= from);
      if (!holder) return batch;
      for (const { value, from: start, to } of decodeLines(await readFile(holder.path)).values) {
        const entry = value as Entry;
        if (entry.t !== 'item' || entry.item.n < from || entry.item.n > durableN) continue;
        if (!room()) break;
        batch.push(entry.item);
        bytes += to - start;
      }
      return batch;
    },
    ack(n) {
      acked = Math.min(n, durableN);
      while ((cache[0]?.item.n ?? Infinity) <= acked) cacheBytes -= cache.shift()?.bytes ?? 0;
      drop();
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      clearTimeout(retry);
      retry = undefined;
      await flushing;
      if (pending.length > 0 && blocked === null) await writeAll();
      closed = true;
      clearTimeout(retry);
      for (const { reject } of waiting.splice(0)) reject(new Error('the journal is closed'));
      await file.close();
    },
  };
}
