import { Component, type JSX } from 'preact';
import { AskRow, UnknownRow } from '../approvals/ask.tsx';
import { isFailed, toolLook } from '../store/tool-words.ts';
import type { Entry, ToolEntry } from '../store/entries.ts';
import { clockTime } from '@berth/client/words';
import { inWorkspace } from '../store/format.ts';
import { groupTitle, type Row } from '../store/rows.ts';
import { decidedTitle } from '../approvals/words.ts';
import { ToolRow } from './tool-row.tsx';
import { BootRow } from './boot-row.tsx';
import { AgentRow, EndRow, GroupRow, NoticeRow, ThoughtRow, UserRow } from './rows.tsx';

/** What a row needs to know of the conversation around it, found by the list so that rows stay equal while nothing changes. */
export interface RowProps {
  row: Row;
  newest: boolean;
  connected: boolean;
  canWrite: boolean;
  me: string | null;
  /** Of a question: the tool call that it is about. */
  tool: ToolEntry | null;
  /** Of a thought: how long it took. */
  tookMs: number | null;
  /** Of a turn's end: how many files it changed, and all that the agent said. */
  files: number;
  answer: () => string;
}

export function labelOf(row: Row): string {
  if (row.kind === 'group') return groupTitle(row.tools);
  const { entry } = row;
  switch (entry.kind) {
    case 'boot':
      return entry.state === 'failed' ? 'The sandbox did not start' : 'Sandbox';
    case 'user':
      return `${nameOf(entry)}, ${clockTime(entry.at)}`;
    case 'agent':
      return 'Agent';
    case 'thought':
      return 'Thought';
    case 'tool': {
      const look = toolLook(entry, true);
      const failed = isFailed(entry) ? ', failed' : '';
      return `${look.verb} ${look.object}${failed}`;
    }
    case 'ask':
      return entry.state === 'waiting' ? `Question: ${entry.title}` : decidedTitle(entry);
    case 'notice':
      return 'Notice';
    case 'error':
      return 'Problem';
    case 'end':
      return entry.state === 'unknown' ? 'Question: did this message arrive?' : 'Turn ended';
  }
}
const nameOf = (entry: Extract<Entry, { kind: 'user' }>): string =>
  entry.by?.name ?? (entry.via === 'terminal' ? 'In the terminal' : 'You');

/** A class for its `shouldComponentUpdate`: while text streams into one row, the others must not be drawn again. */
export class RowView extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const now = this.props;
    return (
      now.row !== next.row ||
      now.newest !== next.newest ||
      now.connected !== next.connected ||
      now.canWrite !== next.canWrite ||
      now.tool !== next.tool ||
      now.tookMs !== next.tookMs ||
      now.files !== next.files
    );
  }
  override render(): JSX.Element | null {
    const { row, newest, connected, canWrite, me, tool, tookMs, files, answer } = this.props;
    if (row.kind === 'group')
      return <GroupRow id={row.key} tools={row.tools} connected={connected} />;
    const { entry } = row;
    switch (entry.kind) {
      case 'boot':
        return <BootRow entry={entry} connected={connected} />;
      case 'user':
        return (
          <UserRow
            author={nameOf(entry)}
            at={entry.at}
            content={entry.content}
            typed={entry.via === 'terminal'}
          />
        );
      case 'agent':
        return <AgentRow entry={entry} />;
      case 'thought':
        return <ThoughtRow entry={entry} tookMs={tookMs} />;
      case 'tool':
        return <ToolRow tool={entry} ask={row.answered} newest={newest} connected={connected} />;
      case 'ask':
        return <AskRow ask={entry} tool={tool} me={me} canDecide={canWrite && connected} />;
      case 'notice':
      case 'error':
        return <NoticeRow entry={entry} />;
      case 'end':
        return entry.state === 'unknown' ? (
          <UnknownRow entry={entry} canDecide={canWrite && connected} />
        ) : (
          <EndRow entry={entry} files={files} answer={answer} />
        );
    }
  }
}

export const changedFiles = (entries: readonly Entry[], end: number): number => {
  const paths = new Set<string>();
  for (let index = end - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (!entry || entry.kind === 'user' || entry.kind === 'end') break;
    if (entry.kind === 'tool' && entry.status === 'completed')
      for (const diff of entry.diff) paths.add(inWorkspace(diff.path));
  }
  return paths.size;
};
export const answerText = (entries: readonly Entry[], end: number): string => {
  const texts: string[] = [];
  for (let index = end - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (!entry || entry.kind === 'user' || entry.kind === 'end') break;
    if (entry.kind === 'agent') texts.unshift(entry.text);
  }
  return texts.join('\n\n');
};
export const tookOf = (entries: readonly Entry[], index: number): number | null => {
  const entry = entries[index];
  const before = entries[index - 1];
  if (!entry || !before || entry.kind !== 'thought') return null;
  const began =
    (before.kind === 'tool' || before.kind === 'boot' ? before.endedAt : undefined) ?? before.at;
  return Math.max(0, entry.at - began);
};
