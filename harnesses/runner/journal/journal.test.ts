import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openJournal, type Journal, type JournalOptions } from './journal.ts';
import { decodeLines, encodeLine } from './line.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-journal-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const openAt = (over?: Partial<JournalOptions>): Promise<Journal> =>
  openJournal({ dir, newId: randomUUID, onChange: () => undefined, ...over });
const delta = (text: string) => ({ kind: 'message.delta', payload: { messageId: 'm', text } });
async function all(journal: Journal, from = 1) {
  const items = [];
  for (let next = from; ;) {
    const batch = await journal.read(next);
    if (batch.length === 0) return items;
    items.push(...batch);
    next = (batch.at(-1)?.n ?? 0) + 1;
  }
}

describe('lines', () => {
  test('cut anywhere: whole lines are read, the torn one is not', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), fc.nat(), (values, at) => {
        const bytes = Buffer.from(values.map(encodeLine).join(''));
        const cut = bytes.subarray(0, at % (bytes.length + 1));
        const lines = decodeLines(cut);
        expect(lines.damaged).toBe(false);
        expect(lines.values.map(({ value }) => JSON.stringify(value))).toEqual(
          values.slice(0, lines.values.length).map((value) => JSON.stringify(value)),
        );
        expect(cut.length - lines.goodBytes).toBeLessThan(
          Math.max(1, ...values.map((value) => Buffer.byteLength(encodeLine(value)))),
        );
      }),
    );
  });
  test('a bad line before a good one is damage', () => {
    const text = encodeLine(1) + encodeLine(2).replace('2\n', '3\n') + encodeLine(3);
    expect(decodeLines(Buffer.from(text))).toMatchObject({ damaged: true, values: [{ value: 1 }] });
  });
});

test('a crash at any byte: what was synced is there, numbers go on, none is given twice', async () => {
  const first = await openAt({ segmentBytes: 600 });
  for (let at = 0; at < 12; at++) {
    first.put(delta(`text ${String(at)}`));
    await first.synced();
  }
  await first[Symbol.asyncDispose]();
  const names = (await readdir(dir)).sort();
  expect(names.length).toBeGreaterThan(1);
  const files = await Promise.all(names.map((name) => readFile(join(dir, name))));
  const whole = files.at(-1) ?? Buffer.alloc(0);
  for (let cut = 0; cut <= whole.length; cut += 7) {
    await rm(dir, { recursive: true });
    await mkdir(dir);
    for (const [at, name] of names.entries())
      await writeFile(
        join(dir, name),
        at < names.length - 1 ? (files[at] ?? '') : whole.subarray(0, cut),
      );
    const journal = await openAt();
    const items = await all(journal);
    expect(items.map(({ n }) => n)).toEqual(items.map((_item, at) => at + 1));
    expect(journal).toMatchObject({ lastN: items.length, sourceId: first.sourceId });
    if (cut === whole.length) expect(items).toHaveLength(12);
    journal.put(delta('next'));
    await journal.synced();
    expect((await all(journal)).at(-1)).toMatchObject({
      n: items.length + 1,
      payload: { text: 'next' },
    });
    await journal[Symbol.asyncDispose]();
  }
}, 60_000);

test('a full disk: nothing is durable, nothing is lost, and it goes on', async () => {
  let full = false;
  const journal = await openAt({
    async write(file, bytes, position) {
      if (full) {
        await file.write(bytes, 0, Math.min(5, bytes.length), position); // half of it, as disks do
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      }
      await file.write(bytes, 0, bytes.length, position);
      await file.datasync();
    },
  });
  full = true;
  journal.put(delta('one'), delta('two'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(journal).toMatchObject({ durableN: 0, lastN: 2, full: true });
  expect(journal.blocked).toContain('no space');
  expect(await journal.read(1)).toEqual([]);
  full = false;
  await journal.synced();
  expect(journal).toMatchObject({ durableN: 2, full: false, blocked: null });
  await journal[Symbol.asyncDispose]();
  const again = await openAt();
  expect((await all(again)).map(({ payload }) => payload['text'])).toEqual(['one', 'two']);
  await again[Symbol.asyncDispose]();
});

test('acked segments go, and what they amounted to stays', async () => {
  const journal = await openAt({ segmentBytes: 500 });
  journal.note({ kind: 'accepted', turnId: 't1', prompt: [{ type: 'text', text: 'hi' }] });
  journal.put({ kind: 'agent.session', payload: { agentSessionId: 's1', holder: 'chat' } });
  for (let at = 0; at < 20; at++) {
    journal.put(delta('x'.repeat(50)));
    await journal.synced();
  }
  const before = (await readdir(dir)).length;
  journal.ack(journal.lastN);
  journal.put(delta('more'));
  await journal.synced();
  await journal[Symbol.asyncDispose]();
  expect((await readdir(dir)).length).toBeLessThan(before);
  const again = await openAt();
  expect(again.lastN).toBe(22);
  expect(again.ledger).toMatchObject({
    agentSessionId: 's1',
    turns: { t1: { state: 'accepted' } },
    text: { messageId: 'm', kind: 'message' },
  });
  await again[Symbol.asyncDispose]();
});

test('what is left begins where it says, also after a log that needs more than it had acknowledged', async () => {
  const journal = await openAt({ segmentBytes: 500 });
  expect(journal.firstN).toBe(1);
  const say = async () => {
    journal.put(delta('x'.repeat(50)));
    await journal.synced();
  };
  for (let at = 0; at < 20; at++) await say();
  expect(journal.firstN).toBe(1);
  journal.ack(journal.lastN);
  const { firstN, lastN } = journal;
  expect(firstN).toBeGreaterThan(1);
  expect((await journal.read(1))[0]?.n).toBe(firstN);
  // An older log asks for all that is left: none of it goes before that has it.
  journal.ack(0);
  for (let at = 0; at < 20; at++) await say();
  expect(journal.firstN).toBe(firstN);
  expect((await journal.read(firstN))[0]?.n).toBe(firstN);
  await journal[Symbol.asyncDispose]();
  const again = await openAt({ segmentBytes: 500 });
  expect(again.firstN).toBe(firstN);
  expect((await all(again, firstN)).length).toBe(lastN + 20 - firstN + 1);
  // Files that were to go and stayed, with a hole behind them, are not what is left.
  await again[Symbol.asyncDispose]();
  const [, second] = (await readdir(dir)).sort();
  await rm(join(dir, second ?? ''));
  const holed = await openAt({ segmentBytes: 500 });
  expect(holed.firstN).toBeGreaterThan(firstN);
  expect((await all(holed, holed.firstN)).at(0)?.n).toBe(holed.firstN);
  await holed[Symbol.asyncDispose]();
});

test('items that left memory are read from disk', async () => {
  const journal = await openAt({ segmentBytes: 1_000_000 });
  const big = 'y'.repeat(100_000);
  for (let at = 0; at < 60; at++) journal.put(delta(`${String(at)} ${big}`));
  await journal.synced();
  expect((await all(journal)).map(({ n }) => n)).toEqual(
    Array.from({ length: 60 }, (_x, at) => at + 1),
  );
  expect((await journal.read(30))[0]?.n).toBe(30);
  await journal[Symbol.asyncDispose]();
});

test('damage: a fresh source, the state as far as it could be read, the old files kept', async () => {
  const journal = await openAt();
  journal.put({ kind: 'agent.session', payload: { agentSessionId: 's1' } }, delta('a'), delta('b'));
  await journal.synced();
  await journal[Symbol.asyncDispose]();
  const path = join(dir, '00000001.log');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"text":"a"', '"text":"x"'));
  const again = await openAt();
  expect(again).toMatchObject({ damaged: true, lastN: 0, ledger: { agentSessionId: 's1' } });
  expect(again.sourceId).not.toBe(journal.sourceId);
  expect((await readdir(dir)).sort()).toEqual(['00000001.log', 'damaged-00000001.log']);
  await again[Symbol.asyncDispose]();
});
