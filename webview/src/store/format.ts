/** Times, money and paths as the interface writes them. Pure; the time zone is the reader's. */

/** Seconds to 10 with one decimal, then whole; "4 min", "1 h 12 min". */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor((seconds + 0.5) / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  return rest === 0 ? `${hours} h` : `${hours} h ${rest} min`;
}

/** Like `duration`, but the seconds stay visible in the first hour: "1 min 52 s". For what is over. */
export function exactDuration(ms: number): string {
  const seconds = Math.round(Math.max(0, ms) / 1000);
  if (seconds < 60 || seconds >= 3600) return duration(ms);
  const rest = seconds % 60;
  const minutes = Math.floor(seconds / 60);
  return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
}

/** Whole seconds, for what is still running: a decimal would flicker. */
export function runningFor(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  return seconds < 60 ? `${seconds} s` : duration(ms);
}

const two = (value: number) => String(value).padStart(2, '0');
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const dayOf = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);

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
/** "now", "18 min", "3 h" within six hours; then as `when`. For lists. */
export function lately(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 360) return `${Math.floor(minutes / 60)} h`;
  return when(at, now);
}

/** Two decimals; under a cent "<$0.01". */
export function money(usd: string): string {
  const value = Number(usd);
  if (value > 0 && value < 0.01) return '<$0.01';
  return `$${value.toFixed(2)}`;
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${Math.round(size / 1024)} KB`;
  return `${(size / 1024 / 1024).toFixed(1)} MB`;
}

/** Paths keep their end: the name is what tells them apart. */
export function shortPath(path: string, max: number): string {
  if (path.length <= max) return path;
  const tail = path.slice(path.length - max + 1);
  const slash = tail.indexOf('/');
  return `…${slash > 0 && slash < tail.length - 1 ? tail.slice(slash) : tail}`;
}
/** Paths of the sandbox without their root. */
export const inWorkspace = (path: string): string =>
  path.startsWith('/workspace/') ? path.slice('/workspace/'.length) : path;

/** "1 file", "3 files". */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n} ${n === 1 ? one : many}`;

/** The first line of a message, cut at `max` on a word. */
export function headline(text: string, max = 60): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  if (line.length <= max) return line;
  const cut = line.slice(0, max);
  const space = cut.lastIndexOf(' ');
  return `${space > max / 2 ? cut.slice(0, space) : cut}…`;
}
