import { isStopping } from '@berth/client/status';
import type { Session } from '@berth/contract';
import { millis } from '../clock.ts';
import { isOver } from './entries.ts';
import { toolLook } from './tool-words.ts';
import type { View } from './view.ts';

export type Activity =
  | { kind: 'doing'; words: string; object: string; since: number }
  | { kind: 'stalled'; since: number }
  | { kind: 'stopping'; since: number }
  | null;

/** What happens now and since when; null while nothing runs, or where the last row says it already. */
export function activityOf(view: View, session: Session, statusSince: number): Activity {
  const lastAt = view.lastAt ?? statusSince;
  if (isStopping(session) && session.cancelRequestedAt !== undefined)
    return { kind: 'stopping', since: millis(session.cancelRequestedAt) };
  if (session.status === 'stalled') return { kind: 'stalled', since: lastAt };
  if (session.status !== 'running') return null;
  for (let index = view.entries.length - 1; index >= 0; index -= 1) {
    const entry = view.entries[index];
    if (!entry) break;
    const last = index === view.entries.length - 1;
    if (entry.kind === 'tool' && !isOver(entry)) {
      if (last) return null;
      const look = toolLook(entry, true);
      const since = entry.startedAt ?? entry.at;
      return { kind: 'doing', words: look.verb, object: look.object, since };
    }
    if (entry.kind === 'agent' && entry.open)
      return { kind: 'doing', words: 'Writing', object: '', since: entry.at };
    if (entry.kind === 'thought' && entry.open)
      return last ? null : { kind: 'doing', words: 'Thinking', object: '', since: entry.at };
    if (entry.kind === 'user' || entry.kind === 'end') break;
  }
  return { kind: 'doing', words: 'Waiting for the model', object: '', since: lastAt };
}
