/** What the person is about to name at the cursor: a file after `@`, a command after `/` at the very start. */
export type Trigger = { kind: 'mention' | 'command'; query: string; from: number; to: number };

export function triggerAt(text: string, cursor: number): Trigger | null {
  const before = text.slice(0, cursor);
  const command = /^\/([\w:.-]*)$/.exec(before);
  if (command) return { kind: 'command', query: command[1] ?? '', from: 0, to: cursor };
  const mention = /(?:^|\s)@([\w./-]*)$/.exec(before);
  if (!mention) return null;
  const query = mention[1] ?? '';
  return { kind: 'mention', query, from: cursor - query.length - 1, to: cursor };
}
