/** Line differences of two texts, for the inline view. Pure. */
export interface DiffLine {
  readonly kind: 'same' | 'plus' | 'minus';
  readonly text: string;
  readonly oldLine: number | null;
  readonly newLine: number | null;
}
export interface Hunk {
  readonly header: string;
  readonly lines: readonly DiffLine[];
}
export interface FileDiff {
  readonly hunks: readonly Hunk[];
  readonly added: number;
  readonly deleted: number;
}

const linesOf = (text: string): string[] => {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

/** Beyond this many edits the middle is shown as removed and added whole: the search is quadratic. */
const editsMax = 1500;

/** The longest common subsequence by Myers' greedy search, as pairs of indexes. */
function common(a: readonly string[], b: readonly string[]): [number, number][] {
  const limit = Math.min(a.length + b.length, editsMax);
  const trace: Int32Array[] = [];
  const furthest = new Int32Array(2 * limit + 2);
  for (let d = 0; d <= limit; d += 1) {
    trace.push(furthest.slice());
    for (let k = -d; k <= d; k += 2) {
      const down =
        k === -d || (k !== d && (furthest[limit + k - 1] ?? 0) < (furthest[limit + k + 1] ?? 0));
      let x = down ? (furthest[limit + k + 1] ?? 0) : (furthest[limit + k - 1] ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      furthest[limit + k] = x;
      if (x >= a.length && y >= b.length) return walkBack(trace, limit, a.length, b.length, d);
    }
  }
  return [];
}
function walkBack(
  trace: readonly Int32Array[],
  limit: number,
  endX: number,
  endY: number,
  edits: number,
): [number, number][] {
  const pairs: [number, number][] = [];
  let x = endX;
  let y = endY;
  for (let d = edits; d >= 0; d -= 1) {
    const furthest = trace[d];
    const k = x - y;
    const left = furthest?.[limit + k - 1] ?? 0;
    const right = furthest?.[limit + k + 1] ?? 0;
    const from = k === -d || (k !== d && left < right) ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : (furthest?.[limit + from] ?? 0);
    const fromY = d === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      pairs.push([x, y]);
    }
    x = fromX;
    y = fromY;
  }
  return pairs.reverse();
}

export function diffLines(oldText: string, newText: string): DiffLine[] {
  const before = linesOf(oldText);
  const after = linesOf(newText);
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail += 1;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);
  const pairs = a.length > 0 && b.length > 0 ? common(a, b) : [];
  const lines: DiffLine[] = [];
  const same = (x: number, y: number) =>
    lines.push({ kind: 'same', text: before[x] ?? '', oldLine: x + 1, newLine: y + 1 });
  for (let index = 0; index < head; index += 1) same(index, index);
  let x = 0;
  let y = 0;
  for (const [toX, toY] of [...pairs, [a.length, b.length] as const]) {
    for (; x < toX; x += 1)
      lines.push({ kind: 'minus', text: a[x] ?? '', oldLine: head + x + 1, newLine: null });
    for (; y < toY; y += 1)
      lines.push({ kind: 'plus', text: b[y] ?? '', oldLine: null, newLine: head + y + 1 });
    if (toX < a.length && toY < b.length) same(head + toX, head + toY);
    x = toX + 1;
    y = toY + 1;
  }
  for (let index = tail; index > 0; index -= 1) same(before.length - index, after.length - index);
  return lines;
}

/** Only what changed, with `context` lines around it. */
export function diffFile(oldText: string, newText: string, context = 1): FileDiff {
  const lines = diffLines(oldText, newText);
  const near = new Uint8Array(lines.length);
  lines.forEach((line, index) => {
    if (line.kind === 'same') return;
    near.fill(1, Math.max(0, index - context), index + context + 1);
  });
  const hunks: Hunk[] = [];
  let run: DiffLine[] = [];
  const close = () => {
    if (run.length > 0) hunks.push({ header: headerOf(run), lines: run });
    run = [];
  };
  lines.forEach((line, index) => {
    if (near[index]) run.push(line);
    else close();
  });
  close();
  return {
    hunks,
    added: lines.filter((line) => line.kind === 'plus').length,
    deleted: lines.filter((line) => line.kind === 'minus').length,
  };
}
function headerOf(lines: readonly DiffLine[]): string {
  const first = lines.find((line) => line.newLine !== null)?.newLine;
  const start = first ?? lines[0]?.oldLine ?? 1;
  return `@@ ${start},${lines.filter((line) => line.kind !== 'minus').length} @@`;
}
