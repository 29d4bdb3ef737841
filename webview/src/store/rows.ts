import { isOver, type Entry, type ToolEntry } from './entries.ts';

/** One line or block of the transcript. */
export type Row = { readonly key: string; readonly index: number; readonly gap: number } & (
  | { readonly kind: 'entry'; readonly entry: Entry; readonly answered: AskOf | null }
  | { readonly kind: 'group'; readonly tools: readonly ToolEntry[] }
);
type AskOf = Extract<Entry, { kind: 'ask' }>;

export interface Rows {
  readonly entries: readonly Entry[];
  readonly rows: readonly Row[];
}
export const noRows: Rows = { entries: [], rows: [] };

const lookups = new Set<ToolEntry['tool']>(['read', 'search']);
const groupable = (entry: Entry | undefined): entry is ToolEntry =>
  entry?.kind === 'tool' &&
  lookups.has(entry.tool) &&
  entry.status !== 'failed' &&
  entry.status !== 'interrupted';

/** Space before and after, in pixels; between two rows the larger one counts. */
const space = {
  boot: [0, 0],
  user: [8, 12],
  agent: [8, 12],
  thought: [0, 0],
  tool: [8, 8],
  ask: [8, 12],
  decided: [0, 0],
  notice: [8, 8],
  error: [8, 8],
  end: [0, 16],
} as const;
const shape = (entry: Entry): keyof typeof space =>
  entry.kind === 'ask' && entry.state !== 'waiting'
    ? 'decided'
    : entry.kind === 'end' && entry.state === 'unknown' && !entry.settled
      ? 'ask'
      : entry.kind;

export function gapBetween(before: Entry | undefined, entry: Entry): number {
  if (!before) return 0;
  const [from, to] = [shape(before), shape(entry)];
  return from === 'tool' && to === 'tool' ? 0 : Math.max(space[from][1], space[to][0]);
}

const isRejected = (ask: AskOf): boolean =>
  ask.state === 'expired' ||
  (ask.options.find((option) => option.optionId === ask.optionId)?.kind.startsWith('reject') ??
    false);

/** The entry to which a question about this tool call belongs is told by the question: its own row would say it twice. */
function hidden(entry: Entry, asks: ReadonlyMap<string, AskOf>): boolean {
  if (entry.kind === 'end') {
    if (entry.state === 'unknown') return entry.settled;
    return false;
  }
  if (entry.kind === 'thought') return !entry.open && entry.text.trim() === '';
  if (entry.kind === 'agent')
    return !entry.open && entry.text.trim() === '' && !(entry.content ?? []).some(isImage);
  if (entry.kind !== 'tool') return false;
  const ask = asks.get(entry.toolCallId);
  if (!ask) return false;
  if (ask.state === 'waiting') return !isOver(entry);
  return isRejected(ask) && entry.output === undefined;
}
const isImage = (block: { type: string }) => block.type === 'image';

/** Rows of `entries`, taking over what has not changed since `previous`. */
export function rowsOf(entries: readonly Entry[], previous: Rows = noRows): Rows {
  if (entries === previous.entries) return previous;
  let same = 0;
  const shared = Math.min(entries.length, previous.entries.length);
  while (same < shared && entries[same] === previous.entries[same]) same += 1;
  // A question changes the row of its tool call, which stands before it but in the same turn.
  let start = Math.min(same - 1, entries.length - 1);
  while (start > 0 && entries[start]?.kind !== 'user') start -= 1;
  start = Math.max(start, 0);

  const rows = previous.rows.slice(0, firstRowAt(previous.rows, start));
  const asks = new Map<string, AskOf>();
  for (let index = start; index < entries.length; index += 1) {
    const entry = entries[index];
    if (entry?.kind === 'ask' && entry.toolCallId) asks.set(entry.toolCallId, entry);
  }
  let before = entries[lastIndexOf(rows)];
  for (let index = start; index < entries.length; index += 1) {
    const entry = entries[index];
    if (!entry || hidden(entry, asks)) continue;
    let end = index;
    while (groupable(entries[end])) end += 1;
    if (end - index >= 3) {
      const tools = entries.slice(index, end).filter(groupable);
      rows.push({
        kind: 'group',
        key: `group:${entry.id}`,
        index,
        gap: gapBetween(before, entry),
        tools,
      });
      before = tools.at(-1) ?? entry;
      index = end - 1;
      continue;
    }
    const answered = entry.kind === 'tool' ? (asks.get(entry.toolCallId) ?? null) : null;
    rows.push({
      kind: 'entry',
      key: entry.id,
      index,
      gap: gapBetween(before, entry),
      entry,
      answered,
    });
    before = entry;
  }
  return { entries, rows };
}

function firstRowAt(rows: readonly Row[], index: number): number {
  let position = rows.length;
  while (position > 0 && (rows[position - 1]?.index ?? -1) >= index) position -= 1;
  return position;
}
function lastIndexOf(rows: readonly Row[]): number {
  const row = rows.at(-1);
  if (!row) return -1;
  return row.kind === 'group' ? row.index + row.tools.length - 1 : row.index;
}

/** "Read 4 files, searched twice". */
export function groupTitle(tools: readonly ToolEntry[]): string {
  const reads = tools.filter((tool) => tool.tool === 'read');
  const searches = tools.length - reads.length;
  const files = new Set(reads.map((tool) => tool.locations[0]?.path ?? tool.title)).size;
  const read = files === 1 ? 'read 1 file' : `read ${files} files`;
  const times = searches === 1 ? 'once' : searches === 2 ? 'twice' : `${searches} times`;
  const parts = [...(files > 0 ? [read] : []), ...(searches > 0 ? [`searched ${times}`] : [])];
  const text = parts.join(', ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
