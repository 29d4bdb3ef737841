/** Times, money and amounts as every face of Berth writes them. Pure; the time zone is the reader's. */

/** Seconds to 10 with one decimal, then whole; "4 min", "1 h 12 min". */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  return longDuration(Math.floor((seconds + 0.5) / 60));
}
/** For rows that are drawn again once a minute: nothing under a minute has a number. */
export function minutes(ms: number): string {
  return longDuration(Math.floor(Math.max(0, ms) / 60_000));
}
function longDuration(wholeMinutes: number): string {
  if (wholeMinutes < 1) return '';
  if (wholeMinutes < 60) return `${wholeMinutes} min`;
  const hours = Math.floor(wholeMinutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  const rest = wholeMinutes % 60;
  return rest === 0 ? `${hours} h` : `${hours} h ${rest} min`;
}

const two = (value: number) => String(value).padStart(2, '0');
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const dayOf = (at: number) => new Date(at).setHours(0, 0, 0, 0);

export function clockTime(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}
/** The clock today, then "yesterday", then "20 Nov". */
export function when(at: number, now: number): string {
  const days = Math.round((dayOf(now) - dayOf(at)) / 86_400_000);
  if (days <= 0) return clockTime(at);
  if (days === 1) return 'yesterday';
  const date = new Date(at);
  const day = `${date.getDate()} ${months[date.getMonth()] ?? ''}`;
  return date.getFullYear() === new Date(now).getFullYear() ? day : `${day} ${date.getFullYear()}`;
}

/** Two decimals; under a cent "<$0.01". */
export function money(usd: string): string {
  const value = Number(usd);
  if (value > 0 && value < 0.01) return '<$0.01';
  return `$${value.toFixed(2)}`;
}

export function byteSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  if (bytes < 1024 * 1024 * 1024) return `${Math.round(bytes / 1024 / 1024)} MB`;
  return `${(bytes / 1024 / 1024 / 1024).toFixed(1)} GB`;
}

/** "1 file", "3 files". */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n} ${n === 1 ? one : many}`;
