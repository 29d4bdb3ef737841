/** How things look to a person. Pure. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}
const wrap = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
const plain = (text: string): string => text;

export function styleFor(colour: boolean): Style {
  return colour
    ? {
        bold: wrap(1, 22),
        dim: wrap(2, 22),
        red: wrap(31, 39),
        green: wrap(32, 39),
        yellow: wrap(33, 39),
        cyan: wrap(36, 39),
      }
    : { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain };
}

/** Colour only on a terminal, and not where NO_COLOR is set to anything. */
export const wantsColour = (
  isTty: boolean,
  env: Readonly<Record<string, string | undefined>>,
): boolean => isTty && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';

/** What others wrote must not move our cursor or paint our screen: control characters become visible. */
export const safe = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- control characters are what this keeps out
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (sign) =>
    sign === '\r' ? '' : `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
export const oneLine = (text: string, width = 80): string => {
  const line = safe(text).replace(/\s+/g, ' ').trim();
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
};

const units: [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];
/** `3 m ago`; the future (a clock that is off) is `now`. */
export function ago(at: string, nowMs: number): string {
  const ms = nowMs - Date.parse(at);
  const unit = units.find(([, size]) => ms >= size);
  return unit === undefined ? 'now' : `${Math.floor(ms / unit[1])} ${unit[0]} ago`;
}

export function dollars(usd: string): string {
  const value = Number(usd);
  if (value === 0) return '–';
  return value < 0.01 ? '<$0.01' : `$${value.toFixed(2)}`;
}
export const bytes = (count: number): string => {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (count >= size) return `${(count / size).toFixed(count / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${count} B`;
};

/** The part of an id that people copy: its random end, which differs where the time at its beginning does not. */
export const shortId = (id: string): string => id.slice(-8);

// eslint-disable-next-line no-control-regex -- the colours that we put there ourselves
const visible = (text: string): number => text.replace(/\u001b\[\d+m/g, '').length;

/** Columns as wide as their widest cell, two spaces apart; the last one runs free. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => visible(row[at] ?? ''))));
  return all
    .map((row) =>
      row
        .map((cell, at) =>
          at === row.length - 1 ? cell : cell + ' '.repeat((widths[at] ?? 0) - visible(cell)),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
