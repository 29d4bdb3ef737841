import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entry, Stored } from './entry.ts';
import { merged, OpenTexts, openTextsOf, type TextRow } from './fold.ts';
import { SessionLog } from './session-log.ts';

const at = 1_700_000_000_000;
const sessionId = '01890000-0000-7000-8000-000000000001';
const delta = (messageId: string, text: string, kind = 'message.delta'): Entry => ({
  kind,
  payload: '',
  at,
  delta: { messageId, text },
});
const newLog = (
  options: { lastSeq?: number; open?: ConstructorParameters<typeof SessionLog>[0]['open'] } = {},
) =>
  new SessionLog({
    sessionId,
    epoch: 1,
    lastSeq: options.lastSeq ?? 0,
    open: options.open ?? new OpenTexts(),
    wake: () => undefined,
  });

test.each<[string, Entry, Entry, string | null]>([
  ['neighbours of one message', delta('m', 'a'), delta('m', 'b'), 'ab'],
  ['another message', delta('m', 'a'), delta('n', 'b'), null],
  ['a thought of the same id', delta('m', 'a'), delta('m', 'b', 'thought.delta'), null],
  ['another turn', delta('m', 'a'), { ...delta('m', 'b'), turnId: sessionId }, null],
  ['no delta', delta('m', 'a'), { kind: 'tool', payload: '{}', at }, null],
  ['too long together', delta('m', 'x'.repeat(16_000)), delta('m', 'y'.repeat(1000)), null],
])('%s', (_name, first, second, text) => {
  expect(merged(first, second)?.delta?.text ?? null).toBe(text);
});

test('raw lines of merged deltas are all kept', () => {
  const both = merged({ ...delta('m', 'a'), raw: '1' }, { ...delta('m', 'b'), raw: '2' });
  expect(both?.raw).toBe('1\n2');
});

type Step =
  | { do: 'delta'; id: string; kind: 'message' | 'thought'; text: string }
  | { do: 'end'; id: string; kind: 'message' | 'thought' }
  | { do: 'other' }
  | { do: 'endAll' }
  /** A group is committed. */
  | { do: 'commit'; units: number }
  /** The process dies: what was not committed is gone, another takes over and gets it again. */
  | { do: 'crash' };
const id = fc.constantFrom('m', 'n');
const kind = fc.constantFrom('message' as const, 'thought' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('delta' as const),
      id,
      kind,
      text: fc.string({ maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), id, kind }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('other' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('endAll' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      units: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
);

/** A table, a head and a runner with its journal: what the writer talks to. */
class Model {
  rows: (Stored & { openFrom: number | null })[] = [];
  openFrom: number | null = null;
  sourceSeq = 0;
  journal: Step[] = [];
  log = newLog();
  sent = 0;

  say(item: Step): void {
    this.journal.push(item);
    this.deliver();
  }
  deliver(): void {
    while (this.sent < this.journal.length) {
      const item = this.journal[this.sent++];
      if (item !== undefined) this.take(item, this.sent);
    }
  }
  take(item: Step, source: number): void {
    const { log } = this;
    if (item.do === 'delta')
      log.append({ entries: [delta(item.id, item.text, `${item.kind}.delta`)], source });
    else if (item.do === 'end') {
      const closed = log.close(item.kind, item.id, at);
      log.append({ entries: closed === null ? [] : [closed], source });
    } else if (item.do === 'endAll') log.append({ entries: log.closeAll(at), source });
    else log.append({ entries: [{ kind: 'notice', payload: '{}', at }], source });
  }
  commit(units: number): void {
    for (let i = 0; i < units; i++) {
      const taken = this.log.take(1);
      if (taken.length === 0) return;
      const batch = this.log.batchOf(taken);
      this.log.batch += 1;
      this.openFrom = batch.openFrom;
      this.sourceSeq = Math.max(this.sourceSeq, batch.sourceTo ?? 0);
      for (const stored of this.log.storedOf(taken))
        this.rows.push({ ...stored, openFrom: this.openFrom });
    }
  }
  crash(): void {
    const rows: TextRow[] = this.rows
      .filter(({ seq }) => this.openFrom !== null && seq >= this.openFrom)
      .map(({ seq, kind: rowKind, json }) => {
        const { payload } = JSON.parse(json) as { payload: { messageId?: string; text?: string } };
        return {
          seq,
          kind: rowKind,
          turnId: null,
          messageId: payload.messageId ?? '',
          text: payload.text ?? '',
        };
      });
    this.log = newLog({ lastSeq: this.rows.length, open: openTextsOf(rows) });
    this.sent = this.sourceSeq;
    this.deliver();
  }
}

test('whatever is cut, repeated or lost: numbers without a gap, each text once and whole, no open delta hidden', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = new Model();
      for (const item of steps) {
        if (item.do === 'commit') model.commit(item.units);
        else if (item.do === 'crash') model.crash();
        else model.say(item);
      }
      model.say({ do: 'endAll' });
      model.commit(1000);

      expect(model.rows.map((row) => row.seq)).toEqual(model.rows.map((_, i) => i + 1));
      expect(model.sourceSeq).toBe(model.journal.length);
      // What a reader is left with = what the agent said, text by text in the order of their ends.
      const open = new Map<string, string>();
      const expected: string[] = [];
      const end = (key: string) => {
        const text = open.get(key);
        if (text !== undefined) expected.push(`${key} ${text}`);
        open.delete(key);
      };
      for (const item of model.journal) {
        if (item.do === 'delta') {
          const key = `${item.kind} ${item.id}`;
          open.set(key, (open.get(key) ?? '') + item.text);
        } else if (item.do === 'end') end(`${item.kind} ${item.id}`);
        else if (item.do === 'endAll') for (const key of [...open.keys()]) end(key);
      }
      const whole: string[] = [];
      const covered = new Set<number>();
      for (const { kind: rowKind, json } of model.rows) {
        if (rowKind !== 'message' && rowKind !== 'thought') continue;
        const { payload } = JSON.parse(json) as {
          payload: {
            messageId: string;
            content: { text: string }[];
            supersedes: { from: number; to: number };
          };
        };
        whole.push(`${rowKind} ${payload.messageId} ${payload.content[0]?.text ?? ''}`);
        for (let seq = payload.supersedes.from; seq <= payload.supersedes.to; seq++)
          covered.add(seq);
      }
      expect(whole.sort()).toEqual(expected.sort());
      // Every delta is superseded in the end, and none was hidden from replay before its text was there.
      expect(model.openFrom).toBeNull();
      for (const row of model.rows)
        if (row.kind.endsWith('.delta')) {
          expect(covered.has(row.seq)).toBe(true);
          expect(
            row.openFrom === null || row.openFrom <= row.seq || hasEnd(model.rows, row.seq),
          ).toBe(true);
        }
    }),
    { numRuns: 1500 },
  );
});

/** A delta that is hidden at its own commit must have its text's event in the same commit or before a reader can ask. */
function hasEnd(rows: readonly Stored[], seq: number): boolean {
  return rows.some(({ kind: rowKind, json }) => {
    if (rowKind !== 'message' && rowKind !== 'thought') return false;
    const { payload } = JSON.parse(json) as {
      payload: { supersedes: { from: number; to: number } };
    };
    return payload.supersedes.from <= seq && seq <= payload.supersedes.to;
  });
}

test('an item without an event still counts, alone or behind others', () => {
  const log = newLog();
  log.append({ entries: [], source: 1 });
  expect(log.batchOf(log.take(1))).toMatchObject({ sourceFrom: 1, sourceTo: 1, entries: [] });
  log.append({ entries: [{ kind: 'notice', payload: '{}', at }], source: 2 });
  log.append({ entries: [], source: 3 });
  expect(log.batchOf(log.take(10))).toMatchObject({ sourceFrom: 2, sourceTo: 3 });
});

test('the events of one item are never parted', () => {
  const log = newLog();
  const entry = { kind: 'notice', payload: '{}', at };
  log.append({ entries: [entry, entry, entry], source: 1 });
  log.append({ entries: [entry], source: 2 });
  expect(log.batchOf(log.take(1)).entries).toHaveLength(3);
});
