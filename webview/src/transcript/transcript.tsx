import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { useChat } from '../chat/context.ts';
import type { ToolEntry } from '../store/entries.ts';
import type { ChatState } from '../store/chat.ts';
import { activityOf } from '../store/activity.ts';
import { millis } from '../clock.ts';
import type { Waiting } from '../store/queue.ts';
import { Icon } from '../ui/icon.tsx';
import { ActivityLine } from './activity.tsx';
import { answerText, changedFiles, labelOf, RowView, tookOf } from './row.tsx';
import { UserRow } from './rows.tsx';
import { useWindow } from './window.ts';

/** Rough heights before the first measurement: close enough that the scroll bar does not jump. */
const estimates = {
  user: 70,
  agent: 60,
  ask: 160,
  notice: 36,
  error: 36,
  boot: 24,
  thought: 24,
  tool: 24,
  end: 40,
  group: 24,
};

export function Transcript(props: {
  state: ChatState;
  /** A message that the agent gets next, shown where it will stand. */
  next: Waiting | null;
  connected: boolean;
  onEscape: () => void;
}): JSX.Element {
  const { state, next, connected, onEscape } = props;
  const { chat } = useChat();
  const { rows } = state.rows;
  const { entries } = state.rows;
  const scroller = useRef<HTMLDivElement>(null);
  const session = state.session;
  const busy = session?.status === 'running' && connected;
  const activity =
    session && state.transcript && connected
      ? activityOf(state.transcript.view, session, millis(session.statusSince))
      : null;
  const extra = [...(next ? ['next'] : []), ...(activity ? ['activity'] : [])];
  const keys = [...rows.map((row) => row.key), ...extra];
  const list = useWindow({
    keys,
    scroller: () => scroller.current,
    estimate: (index) => {
      const row = rows[index];
      if (!row) return 40;
      return row.gap + estimates[row.kind === 'group' ? 'group' : row.entry.kind];
    },
  });
  const hasOlder = state.transcript?.hasOlder === true;
  const canWrite = state.hello?.canWrite === true;
  const me = state.hello?.me.id ?? null;

  // The page before comes when the person nears the top, not before.
  const first = list.items[0]?.index ?? Infinity;
  useEffect(() => {
    if (hasOlder && first < 15 && rows.length > 0)
      chat.loadOlder().catch((error: unknown) => console.error(error));
  }, [first < 15, hasOlder, rows.length]);

  // Who sends something wants to see what becomes of it.
  const sent = state.outgoing.length;
  const before = useRef(sent);
  useEffect(() => {
    if (sent > before.current) list.toEnd();
    before.current = sent;
  }, [sent]);

  const seenRows = useRef(0);
  if (list.following) seenRows.current = rows.length;
  const fresh = Math.max(0, rows.length - seenRows.current);
  // Older pages are no news.
  const oldest = useRef(rows[0]?.key);
  if (oldest.current !== rows[0]?.key) {
    seenRows.current = rows.length - (fresh > 200 ? 0 : fresh);
    oldest.current = rows[0]?.key;
  }
  const asks = list.following ? -1 : waitingBelow(rows, list.seen().bottom, list.startOf);

  const step = (direction: -1 | 1): void => {
    const current = document.activeElement?.closest('[data-index]');
    const from = current
      ? Number(current.getAttribute('data-index'))
      : direction < 0
        ? rows.length
        : -1;
    for (let index = from + direction; index >= 0 && index < rows.length; index += direction) {
      const row = rows[index];
      if (row?.kind !== 'entry' || (row.entry.kind !== 'user' && row.entry.kind !== 'agent'))
        continue;
      focusRow.current = index;
      list.toIndex(index);
      tryFocus();
      return;
    }
  };
  const focusRow = useRef<number | null>(null);
  const tryFocus = () => {
    if (focusRow.current === null) return;
    const node = scroller.current?.querySelector<HTMLElement>(`[data-index="${focusRow.current}"]`);
    if (!node) return;
    focusRow.current = null;
    node.focus({ preventScroll: true });
  };
  useLayoutEffect(tryFocus);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') onEscape();
    else if (event.altKey && event.key === 'ArrowUp') step(-1);
    else if (event.altKey && event.key === 'ArrowDown') step(1);
    else if (event.key === 'Home' && event.target === scroller.current) list.toIndex(0);
    else if (event.key === 'End' && event.target === scroller.current) list.toEnd();
    else return;
    event.preventDefault();
  };

  return (
    <div class="transcript">
      <div
        ref={scroller}
        class="scroll"
        tabIndex={0}
        role="region"
        aria-label="Conversation"
        data-region="transcript"
        onKeyDown={onKeyDown}
      >
        <div
          class="feed"
          role="feed"
          aria-busy={busy}
          aria-label="Messages and steps"
          style={{ height: `${list.height}px` }}
        >
          {list.items.map((item) => {
            const row = rows[item.index];
            const key = keys[item.index] ?? item.index;
            const gap = row ? row.gap : 8;
            return (
              <article
                key={key}
                ref={list.measure}
                data-index={item.index}
                tabIndex={-1}
                class="row"
                style={{ transform: `translateY(${item.start}px)`, paddingTop: `${gap}px` }}
                aria-posinset={item.index + 1}
                aria-setsize={hasOlder ? -1 : keys.length}
                {...(row?.kind === 'entry' && isAsk(row.entry)
                  ? { 'aria-labelledby': `title-${row.entry.id}` }
                  : {
                      'aria-label': row ? labelOf(row) : key === 'next' ? 'Your message' : 'Now',
                    })}
              >
                {row ? (
                  <RowView
                    row={row}
                    newest={item.index === rows.length - 1}
                    connected={connected}
                    canWrite={canWrite}
                    me={me}
                    tool={toolFor(row, state)}
                    tookMs={tookOf(entries, row.index)}
                    files={isEnd(row) ? changedFiles(entries, row.index) : 0}
                    answer={() => answerText(chat.state.get().rows.entries, row.index)}
                  />
                ) : key === 'next' && next ? (
                  <UserRow
                    author={next.by?.name ?? state.hello?.me.name ?? 'You'}
                    at={null}
                    content={next.prompt}
                  />
                ) : session && activity ? (
                  <ActivityLine sessionId={session.id} activity={activity} />
                ) : null}
              </article>
            );
          })}
        </div>
      </div>
      {list.following ? null : (
        <button
          type="button"
          class="pill"
          onClick={asks >= 0 ? () => list.toIndex(asks) : list.toEnd}
        >
          <Icon
            name={asks >= 0 ? 'report' : 'arrow-down'}
            {...(asks >= 0 ? { tone: 'waiting' as const } : {})}
          />
          {asks >= 0 ? 'Approval waiting' : fresh > 0 ? `Latest, ${fresh} new` : 'Latest'}
        </button>
      )}
    </div>
  );
}

type Rows = ChatState['rows']['rows'];
const isAsk = (entry: { kind: string; state?: string }): boolean =>
  (entry.kind === 'ask' && entry.state === 'waiting') ||
  (entry.kind === 'end' && entry.state === 'unknown');
const isEnd = (row: Rows[number]): boolean => row.kind === 'entry' && row.entry.kind === 'end';

/** The first question that waits below what can be seen, or -1. */
function waitingBelow(rows: Rows, bottom: number, startOf: (index: number) => number): number {
  for (let index = Math.max(0, rows.length - 60); index < rows.length; index += 1) {
    const row = rows[index];
    if (row?.kind === 'entry' && isAsk(row.entry) && startOf(index) > bottom - 24) return index;
  }
  return -1;
}

function toolFor(row: Rows[number], state: ChatState): ToolEntry | null {
  if (row.kind !== 'entry' || row.entry.kind !== 'ask' || !row.entry.toolCallId) return null;
  const { toolCallId } = row.entry;
  const { entries } = state.rows;
  for (let index = row.index; index >= Math.max(0, row.index - 200); index -= 1) {
    const entry = entries[index];
    if (entry?.kind === 'tool' && entry.toolCallId === toolCallId) return entry;
  }
  for (let index = row.index; index < Math.min(entries.length, row.index + 50); index += 1) {
    const entry = entries[index];
    if (entry?.kind === 'tool' && entry.toolCallId === toolCallId) return entry;
  }
  return null;
}
