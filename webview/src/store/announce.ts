import type { Connection } from '../ipc/index.ts';
import { isOver, type Entry } from './entries.ts';
import { isFailed, toolObject } from './tool-words.ts';
import { count } from '@berth/client/words';
import { inWorkspace } from './format.ts';

export interface Announcements {
  /** Said when there is a pause. */
  readonly polite: string | null;
  /** Said at once: a person is needed. */
  readonly urgent: string | null;
}
const silent: Announcements = { polite: null, urgent: null };

/** What a screen reader says of a change: discrete things only, never text as it streams. */
export function announce(before: readonly Entry[], after: readonly Entry[]): Announcements {
  if (before === after || before.length === 0) return silent;
  const known = new Map(before.slice(-200).map((entry) => [entry.id, entry]));
  const oldest = before.at(-200)?.order ?? 0;
  let polite: string | null = null;
  let urgent: string | null = null;
  for (const entry of after.slice(-200)) {
    if (entry.order < oldest) continue;
    const was = known.get(entry.id);
    if (was === entry) continue;
    if (entry.kind === 'ask' && entry.state === 'waiting' && was?.kind !== 'ask')
      urgent = `The agent asks: ${entry.title}`;
    else if (entry.kind === 'end' && entry.state === 'unknown' && !was)
      urgent = 'Did a message reach the agent? Your answer is needed.';
    else if (entry.kind === 'end' && !was) polite = endWords(entry, after);
    else if (
      entry.kind === 'tool' &&
      isOver(entry) &&
      isFailed(entry) &&
      !(was?.kind === 'tool' && isOver(was))
    )
      polite = `${toolObject(entry)} failed${entry.exitCode === undefined ? '' : `, exit code ${entry.exitCode}`}`;
    else if (entry.kind === 'boot' && entry.state === 'failed')
      urgent = 'The sandbox did not start';
  }
  return { polite, urgent };
}

function endWords(end: Extract<Entry, { kind: 'end' }>, entries: readonly Entry[]): string {
  if (end.state === 'cancelled') return 'Turn stopped';
  if (end.state === 'failed') return 'Turn failed';
  const files = new Set<string>();
  for (let index = entries.indexOf(end) - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (!entry || entry.kind === 'user' || entry.kind === 'end') break;
    if (entry.kind === 'tool' && entry.status === 'completed')
      for (const diff of entry.diff) files.add(inWorkspace(diff.path));
  }
  return files.size > 0 ? `Agent done, ${count(files.size, 'file')} changed` : 'Agent done';
}

export function announceConnection(before: Connection, after: Connection): string | null {
  const off = (state: Connection['state']) => state === 'waiting' || state === 'connecting';
  if (before.state === 'connected' && off(after.state)) return 'Connection lost';
  if (off(before.state) && after.state === 'connected') return 'Connected';
  return null;
}
