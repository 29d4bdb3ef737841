import type { ComponentChildren, JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { useChat, useNow, useOpen } from '../chat/context.ts';
import { isOver, type AskEntry, type ToolEntry } from '../store/entries.ts';
import { byteSize, duration } from '@berth/client/words';
import { inWorkspace, runningFor } from '../store/format.ts';
import { isFailed, toolLook } from '../store/tool-words.ts';
import { IconButton, LineCounts, LinkButton } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';
import { diffFile, type FileDiff } from './diff.ts';
import { Images } from './images.tsx';

export function Elapsed(props: { since: number }): JSX.Element {
  const now = useNow(1000);
  return <span>{runningFor(now - props.since)}</span>;
}

const diffCache = new WeakMap<object, FileDiff>();
export function diffOf(diff: ToolEntry['diff'][number]): FileDiff {
  const known = diffCache.get(diff) ?? diffFile(diff.oldText ?? '', diff.newText);
  diffCache.set(diff, known);
  return known;
}
export function countsOf(diffs: ToolEntry['diff']): { added: number; deleted: number } {
  let added = 0;
  let deleted = 0;
  for (const diff of diffs) {
    const file = diffOf(diff);
    added += file.added;
    deleted += file.deleted;
  }
  return { added, deleted };
}

const linesMax = 12;
/** Numbers of lines are those of the text that the agent gave; where it gave a part of the file, they count from its start. */
export function DiffView(props: { diff: ToolEntry['diff'][number] }): JSX.Element {
  const [all, setAll] = useState(false);
  const file = diffOf(props.diff);
  const lines = file.hunks.flatMap((hunk) => [
    { kind: 'hunk' as const, text: hunk.header, oldLine: null, newLine: null },
    ...hunk.lines,
  ]);
  const shown = all ? lines : lines.slice(0, linesMax + 1);
  const signs = { plus: '+', minus: '−', same: ' ' } as const;
  const hiddenLines = lines.length - shown.length;
  return (
    <>
      <div
        class="diff"
        tabIndex={0}
        role="region"
        aria-label={`Changes in ${inWorkspace(props.diff.path)}`}
      >
        <table role="presentation">
          <tbody>
            {shown.map((line, index) =>
              line.kind === 'hunk' ? (
                <tr key={index} class="hunk">
                  <td colSpan={4}>{line.text}</td>
                </tr>
              ) : (
                <tr key={index} class={line.kind}>
                  <td class="ln old">{line.oldLine}</td>
                  <td class="ln">{line.newLine}</td>
                  <td class="sg">{signs[line.kind]}</td>
                  <td class="cd">{line.text}</td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
      {hiddenLines > 0 ? (
        <div class="more">
          <LinkButton onPress={() => setAll(true)}>{`Show ${hiddenLines} more lines`}</LinkButton>
        </div>
      ) : null}
    </>
  );
}

// Colours of the output are not shown in rows: a theme's red reaches too little contrast here.
// eslint-disable-next-line no-control-regex -- escape sequences begin with a control character
const ansi = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
export const plainOutput = (text: string): string =>
  text
    .replace(ansi, '')
    .replace(/^.*\r(?!\n)/gm, '')
    .replace(/\r/g, '');

const tailLines = 5;
const shownLinesMax = 2000;
export function OutputView(props: { tool: ToolEntry; tail: boolean }): JSX.Element | null {
  const { tool } = props;
  const { chat } = useChat();
  const [all, setAll] = useState(!props.tail);
  const [loadedBlob, setLoaded] = useState<{ id: string; text: string } | null>(null);
  const { output } = tool;
  const blobId = output && 'blobId' in output ? output.blobId : null;
  // A tool that goes on has another blob with each update.
  const loaded = loadedBlob !== null && loadedBlob.id === blobId ? loadedBlob.text : null;
  const given = output && 'text' in output ? output.text : null;
  const fromContent = tool.content
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('\n');
  const text = loaded ?? given ?? (blobId ? null : fromContent || null);
  const lines = useMemo(
    () => (text === null ? [] : plainOutput(text).trimEnd().split('\n')),
    [text],
  );
  const editor = chat.state.get().hello?.editor === true;
  const sessionId = chat.state.get().sessionId;
  const load = async (): Promise<string | null> => {
    if (!blobId || !sessionId) return text;
    let result: string | null = null;
    await chat.attempt(
      chat.host.blob({ sessionId, blobId }).then((answer) => {
        result = answer.text;
        setLoaded({ id: blobId, text: answer.text });
      }),
    );
    return result;
  };
  if (text === null && !blobId) return null;
  if (text !== null && text.trim() === '') return null;
  const shown = all ? lines.slice(-shownLinesMax) : lines.slice(-tailLines);
  const title =
    text === null && output && 'bytes' in output
      ? `${byteSize(output.bytes)} of output`
      : shown.length === lines.length
        ? lines.length === 1
          ? '1 line'
          : `${lines.length} lines`
        : shown.length === 1
          ? `Last line of ${lines.length}`
          : `Last ${shown.length} of ${lines.length} lines`;
  return (
    <div class="out">
      <div class="more">
        <span class="grow">{title}</span>
        {text === null || shown.length < Math.min(lines.length, shownLinesMax) ? (
          <LinkButton
            onPress={async () => {
              if (text === null) await load();
              setAll(true);
            }}
          >
            Show all
          </LinkButton>
        ) : null}
        {editor ? (
          <LinkButton
            onPress={async () => {
              const whole = text ?? (await load());
              if (whole !== null)
                await chat.attempt(
                  chat.host.openText({ title: tool.title, text: plainOutput(whole) }),
                );
            }}
          >
            Open in editor
          </LinkButton>
        ) : null}
      </div>
      {text === null ? null : (
        <pre tabIndex={0} role="region" aria-label="Output">
          {shown.join('\n')}
        </pre>
      )}
    </div>
  );
}

const json = (value: unknown): string => JSON.stringify(value, null, 2);

export function ToolBody(props: { tool: ToolEntry }): JSX.Element {
  const { tool } = props;
  const images = tool.content.filter((block) => block.type === 'image');
  const input =
    tool.tool !== 'execute' && tool.diff.length === 0 && tool.rawInput !== undefined
      ? json(tool.rawInput)
      : null;
  return (
    <>
      {tool.diff.map((diff, index) => (
        <DiffView key={index} diff={diff} />
      ))}
      {input && input !== '{}' ? (
        <pre class="input" tabIndex={0} role="region" aria-label="Input">
          {input}
        </pre>
      ) : null}
      {tool.diff.length === 0 || isFailed(tool) ? (
        <OutputView tool={tool} tail={tool.tool === 'execute'} />
      ) : null}
      <Images blocks={images} />
    </>
  );
}

function metaOf(tool: ToolEntry): ComponentChildren[] {
  const parts: ComponentChildren[] = [];
  if (tool.diff.length > 0) parts.push(<LineCounts {...countsOf(tool.diff)} />);
  if (tool.tool === 'execute' && tool.exitCode !== undefined)
    parts.push(<span class={tool.exitCode === 0 ? '' : 'bad'}>{`exit ${tool.exitCode}`}</span>);
  const line = tool.locations[0]?.line;
  if (tool.tool === 'read' && line) parts.push(<span>{`line ${line}`}</span>);
  if (tool.status === 'running' && tool.startedAt !== undefined)
    parts.push(<Elapsed since={tool.startedAt} />);
  else if (
    isOver(tool) &&
    tool.endedAt !== undefined &&
    tool.startedAt !== undefined &&
    tool.diff.length === 0 &&
    tool.endedAt - tool.startedAt >= 50
  )
    parts.push(<span>{duration(tool.endedAt - tool.startedAt)}</span>);
  return parts;
}

const hasBody = (tool: ToolEntry): boolean =>
  tool.diff.length > 0 ||
  tool.output !== undefined ||
  tool.content.length > 0 ||
  (tool.rawInput !== undefined && tool.tool !== 'execute');

export function ToolRow(props: {
  tool: ToolEntry;
  ask: AskEntry | null;
  newest: boolean;
  connected: boolean;
}): JSX.Element {
  const { tool, newest, connected } = props;
  const { chat } = useChat();
  const look = toolLook(tool, connected);
  const failed = isFailed(tool);
  const [open, setOpen] = useOpen(tool.id, failed && newest);
  const body = hasBody(tool);
  const bodyId = `body-${tool.id}`;
  const meta = connected || isOver(tool) ? metaOf(tool) : [];
  const path = tool.diff[0]?.path;
  const sessionId = chat.state.get().sessionId;
  return (
    <>
      <Line
        icon={look.icon}
        tone={look.tone}
        spin={look.spins}
        what={look.verb}
        object={look.object}
        meta={meta.length > 0 ? meta : null}
        actions={
          path && tool.status === 'completed' && sessionId ? (
            <IconButton
              icon="diff-single"
              label="Open the diff"
              onPress={() =>
                chat.attempt(chat.host.openChanges({ sessionId, path: inWorkspace(path) }))
              }
            />
          ) : null
        }
        open={open}
        onToggle={body ? setOpen : undefined}
        bodyId={bodyId}
      />
      {open && body ? (
        <div class="tool__body" id={bodyId}>
          <ToolBody tool={tool} />
        </div>
      ) : null}
    </>
  );
}
