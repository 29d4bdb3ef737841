/** Times and paths as the chat and the dashboard write them, beyond what all faces share. */
import type { ContentBlock } from '@berth/contract';
import { byteSize, duration, when } from '@berth/client/words';

/** What somebody wrote, without what they put beside it: pictures and files are drawn by themselves. */
export const typedText = (content: readonly ContentBlock[]): string =>
  content
    .flatMap((block) => (block.type === 'text' ? [block.text] : []))
    .join('\n')
    .trim();

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

/** "149 MB of 629 MB", "12 of 100 %". */
export function progressWords(progress: { done: number; total: number; unit: string }): string {
  const { done, total, unit } = progress;
  if (unit === 'bytes') return `${byteSize(done)} of ${byteSize(total)}`;
  return `${Math.round(done)} of ${Math.round(total)} ${unit}`;
}

/** "now", "18 min", "3 h" within six hours; then as `when`. For lists. */
export function lately(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 360) return `${Math.floor(minutes / 60)} h`;
  return when(at, now);
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

/** The first line of a message, cut at `max` on a word. */
export function headline(text: string, max = 60): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  if (line.length <= max) return line;
  const cut = line.slice(0, max);
  const space = cut.lastIndexOf(' ');
  return `${space > max / 2 ? cut.slice(0, space) : cut}…`;
}
