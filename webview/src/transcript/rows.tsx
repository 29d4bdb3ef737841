import type { ContentBlock } from '@berth/contract';
import type { JSX } from 'preact';
import { useChat, useOpen } from '../chat/context.ts';
import {
  isOver,
  type EndEntry,
  type NoticeEntry,
  type TextEntry,
  type ToolEntry,
} from '../store/entries.ts';
import { clockTime, count, duration, money } from '@berth/client/words';
import { exactDuration, runningFor, typedText } from '../store/format.ts';
import { groupTitle } from '../store/rows.ts';
import { Icon, IconButton } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';
import { Images } from './images.tsx';
import { Markdown } from './markdown-view.tsx';
import { Elapsed, ToolRow } from './tool-row.tsx';

export function Chips(props: { blocks: readonly ContentBlock[] }): JSX.Element | null {
  const named = props.blocks.flatMap((block) =>
    block.type === 'resource_link'
      ? [block.name]
      : block.type === 'resource'
        ? [block.resource.uri.replace(/^.*\//, '')]
        : [],
  );
  if (named.length === 0) return null;
  return (
    <div class="chips">
      {named.map((name, index) => (
        <span key={index} class="chip">
          <Icon
            name={/\.(ts|tsx|js|jsx|py|go|rs|c|h|cpp|java|json)$/.test(name) ? 'file-code' : 'file'}
          />
          <span class="cut" title={name}>
            {name}
          </span>
        </span>
      ))}
    </div>
  );
}

export function UserRow(props: {
  author: string;
  at: number | null;
  content: readonly ContentBlock[];
  /** In the agent's own terminal, and not here. */
  typed?: boolean;
}): JSX.Element {
  const { author, at, content, typed = false } = props;
  return (
    <div class="user">
      <div class="user__by">
        {typed ? <Icon name="terminal" /> : null}
        <b>{author}</b>
        <span class="num">{at === null ? 'on its way' : clockTime(at)}</span>
      </div>
      <div class="user__text">{typedText(content)}</div>
      <Images blocks={content} />
      <Chips blocks={content} />
    </div>
  );
}

export function AgentRow(props: { entry: TextEntry }): JSX.Element {
  return (
    <>
      {props.entry.text.trim() === '' ? null : <Markdown text={props.entry.text} />}
      <Images blocks={props.entry.content ?? []} />
    </>
  );
}

export function ThoughtRow(props: { entry: TextEntry; tookMs: number | null }): JSX.Element {
  const { entry, tookMs } = props;
  const [open, setOpen] = useOpen(entry.id, false);
  const what = entry.open
    ? 'Thinking'
    : tookMs !== null && tookMs >= 1000
      ? `Thought for ${runningFor(tookMs)}`
      : 'Thought';
  const bodyId = `body-${entry.id}`;
  return (
    <>
      <Line
        icon="thinking"
        what={<span class="muted">{what}</span>}
        meta={entry.open ? <Elapsed since={entry.at} /> : null}
        open={open}
        onToggle={setOpen}
        bodyId={bodyId}
      />
      {open ? (
        <div class="thoughts" id={bodyId}>
          <Markdown text={entry.text} />
        </div>
      ) : null}
    </>
  );
}

export function GroupRow(props: {
  id: string;
  tools: readonly ToolEntry[];
  connected: boolean;
}): JSX.Element {
  const { id, tools, connected } = props;
  const [open, setOpen] = useOpen(id, false);
  const first = tools[0];
  const last = tools.at(-1);
  const running = tools.some((tool) => !isOver(tool)) && connected;
  const took =
    first && last?.endedAt !== undefined && !running ? duration(last.endedAt - first.at) : null;
  const bodyId = `body-${id}`;
  return (
    <>
      <Line
        icon={running ? 'loading' : 'files'}
        tone={running ? 'running' : undefined}
        what={groupTitle(tools)}
        meta={took}
        open={open}
        onToggle={setOpen}
        bodyId={bodyId}
      />
      {open ? (
        <div class="tool__body inner" id={bodyId}>
          {tools.map((tool) => (
            <ToolRow key={tool.id} tool={tool} ask={null} newest={false} connected={connected} />
          ))}
        </div>
      ) : null}
    </>
  );
}

const noticeIcons: [RegExp, string][] = [
  [/seed/, 'history'],
  [/resen|sent-again/, 'sync'],
  [/restart|recover|resum/, 'debug-restart'],
  [/terminal|handed-over|hand-over/, 'terminal'],
  [/take-back|taken-back|back/, 'comment-discussion'],
  [/sandbox-lost/, 'debug-restart'],
  [/suspend/, 'debug-pause'],
  [/model|gateway/, 'warning'],
];

export function NoticeRow(props: { entry: NoticeEntry }): JSX.Element {
  const { entry } = props;
  const lost = entry.kind === 'error' && entry.code === 'sandbox-lost';
  const icon =
    entry.kind === 'error'
      ? 'error'
      : (noticeIcons.find(([pattern]) => pattern.test(entry.code))?.[1] ?? 'info');
  // What becomes of it and of its files, the notice behind it says.
  const text = lost ? 'The sandbox is gone. The conversation is safe.' : entry.text;
  return (
    <div class="note">
      <Icon name={icon} tone={entry.kind === 'error' ? 'error' : undefined} />
      <p class="grow">
        {text} <span class="num">{clockTime(entry.at)}</span>
      </p>
    </div>
  );
}

const tookWords = (ms: number): string => (ms < 50 ? 'under 0.1 s' : exactDuration(ms));

export function EndRow(props: {
  entry: EndEntry;
  files: number;
  answer: () => string;
}): JSX.Element {
  const { entry, files } = props;
  const { chat } = useChat();
  const took = entry.startedAt === undefined ? '' : ` in ${tookWords(entry.at - entry.startedAt)}`;
  const cost = entry.usage?.costUsd;
  const parts = [
    ...(cost !== undefined && Number(cost) > 0 ? [money(cost)] : []),
    ...(files > 0 ? [`${count(files, 'file')} changed`] : []),
  ];
  const rest = parts.length > 0 ? `, ${parts.join(', ')}` : '';
  if (entry.state === 'failed') {
    return (
      <div class="note">
        <Icon name="error" tone="error" />
        <p class="grow">
          {entry.error?.detail ?? 'The turn failed.'} <span class="num">{clockTime(entry.at)}</span>
        </p>
      </div>
    );
  }
  const stopped = entry.state === 'cancelled';
  const refused = entry.stopReason === 'refusal';
  const words = stopped
    ? 'Stopped'
    : refused
      ? 'The agent refused to go on'
      : entry.stopReason === 'max_tokens' || entry.stopReason === 'max_turn_requests'
        ? 'Ended at the model’s limit'
        : 'Done';
  return (
    <div class="line end">
      <Icon name={stopped ? 'circle-slash' : refused ? 'warning' : 'check'} />
      <span class="cut">{`${words}${stopped ? took.replace(' in', ' after') : took}${rest}`}</span>
      <span class="pushed" />
      <IconButton
        icon="copy"
        label="Copy the answer"
        onPress={() => chat.attempt(chat.host.copy({ text: props.answer() }))}
      />
    </div>
  );
}
