import { count } from '@berth/client/words';
import { plainText } from '@berth/contract';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useChat, useOpen } from '../chat/context.ts';
import { headline } from '../store/format.ts';
import type { Waiting } from '../store/queue.ts';
import { Icon, IconButton } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';

/** `position` counts from the first message of the whole queue, which may have one more in front: the one that is shown in the chat. */
export function Queue(props: {
  waiting: readonly Waiting[];
  offset: number;
  why: { words: string; usual: boolean };
  me: string | null;
  onEdit: (message: Waiting) => void;
}): JSX.Element | null {
  const { waiting, offset, why, me, onEdit } = props;
  const { chat } = useChat();
  const [open, setOpen] = useOpen('dock:queue', true);
  const [said, setSaid] = useState('');
  const { list, keep } = useKeptFocus();
  const drag = useDrag((from, to) => place(from, to));
  const sessionId = chat.state.get().sessionId;
  if (waiting.length === 0 || !sessionId) return null;

  function place(index: number, to: number): void {
    const message = waiting[index];
    if (!message || !sessionId || to === index || to < 0 || to >= waiting.length) return;
    chat
      .attempt(chat.host.queueMove({ sessionId, turnId: message.turnId, position: to + offset }))
      .then((moved) => moved && setSaid(`Moved to place ${to + 1} of ${waiting.length}`))
      .catch((error: unknown) => console.error(error));
  }
  const withdraw = (message: Waiting): void => {
    chat
      .attempt(chat.host.queueWithdraw({ sessionId, turnId: message.turnId }))
      .then((gone) => gone && setSaid('Withdrawn'))
      .catch((error: unknown) => console.error(error));
  };
  return (
    <section class="queue" aria-label="Waiting messages" data-region="queue">
      <Line
        icon="list-ordered"
        what={`${count(waiting.length, 'message')} waiting`}
        aside={<span class={`cut muted${why.usual ? ' wide' : ''}`}>{why.words}</span>}
        open={open}
        onToggle={setOpen}
        bodyId="queue-entries"
      />
      <span class="sr" role="status">
        {said}
      </span>
      {open ? (
        <ol id="queue-entries" aria-label="Waiting messages" ref={list} onFocusCapture={keep}>
          {waiting.map((message, index) => {
            const text = headline(plainText([...message.prompt]), 200);
            const other =
              message.by && message.by.id !== me ? message.by.name.split(' ', 1)[0] : null;
            return (
              <li
                key={message.turnId}
                data-turn={message.turnId}
                {...(message.leaving || waiting.length === 1 ? {} : drag.of(index))}
                onKeyDown={(event) => {
                  if (message.leaving) return;
                  if (event.altKey && event.key === 'ArrowUp') place(index, index - 1);
                  else if (event.altKey && event.key === 'ArrowDown') place(index, index + 1);
                  else if (event.key === 'Delete') withdraw(message);
                  else return;
                  event.preventDefault();
                }}
              >
                <span class="cut grow" title={text}>
                  {other ? <span class="muted">{other}: </span> : null}
                  {text}
                </span>
                {message.leaving ? (
                  <Icon name="loading" tone="running" />
                ) : (
                  <span class="acts">
                    <IconButton icon="edit" label="Edit" onPress={() => onEdit(message)} />
                    <IconButton
                      icon="arrow-up"
                      label="Move up"
                      title="Move up (Alt+↑; Alt+↓ moves down)"
                      disabled={index === 0}
                      onPress={() => place(index, index - 1)}
                    />
                    <IconButton
                      icon="close"
                      label="Withdraw"
                      title="Withdraw (Delete)"
                      onPress={() => withdraw(message)}
                    />
                  </span>
                )}
              </li>
            );
          })}
        </ol>
      ) : null}
    </section>
  );
}

/** An entry that changes its place loses the focus, because its node is moved: it gets it back. */
function useKeptFocus() {
  const list = useRef<HTMLOListElement>(null);
  const kept = useRef<{ turnId: string; button: number } | null>(null);
  useLayoutEffect(() => {
    const { current } = kept;
    const root = list.current;
    if (!current || !root || document.activeElement !== document.body) return;
    const buttons = root.querySelectorAll<HTMLButtonElement>(
      `[data-turn="${CSS.escape(current.turnId)}"] button`,
    );
    // What cannot be pressed at the top (Move up) takes no focus: its neighbour does.
    const wanted = buttons[current.button];
    (wanted?.disabled ? buttons[0] : wanted)?.focus();
  });
  return {
    list,
    keep: (event: FocusEvent) => {
      const button = (event.target as Element | null)?.closest('button');
      const entry = button?.closest<HTMLElement>('[data-turn]');
      if (!button || !entry) return;
      const all = [...entry.querySelectorAll('button')];
      kept.current = { turnId: entry.dataset['turn'] ?? '', button: all.indexOf(button) };
    },
  };
}

/** Entries are dragged over one another; a line says where the one in hand would stand. */
function useDrag(drop: (from: number, to: number) => void) {
  const [from, setFrom] = useState<number | null>(null);
  const [over, setOver] = useState<number | null>(null);
  const end = (): void => {
    setFrom(null);
    setOver(null);
  };
  return {
    of: (index: number) => ({
      draggable: true,
      class:
        from === null || over !== index || from === index
          ? ''
          : over < from
            ? 'drop-before'
            : 'drop-after',
      onDragStart: (event: DragEvent) => {
        event.dataTransfer?.setData('text/plain', '');
        setFrom(index);
      },
      onDragOver: (event: DragEvent) => {
        if (from === null) return;
        event.preventDefault();
        setOver(index);
      },
      onDrop: (event: DragEvent) => {
        event.preventDefault();
        if (from !== null) drop(from, index);
        end();
      },
      onDragEnd: end,
    }),
  };
}
