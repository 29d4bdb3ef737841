import { plainText } from '@berth/contract';
import type { JSX } from 'preact';
import { useChat, useOpen } from '../chat/context.ts';
import { count } from '@berth/client/words';
import { headline } from '../store/format.ts';
import type { Waiting } from '../store/queue.ts';
import { Icon, IconButton } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';

/** `position` counts from the first message of the whole queue, which may have one more in front: the one that is shown in the chat. */
export function Queue(props: {
  waiting: readonly Waiting[];
  offset: number;
  me: string | null;
  onEdit: (message: Waiting) => void;
}): JSX.Element | null {
  const { waiting, offset, me, onEdit } = props;
  const { chat } = useChat();
  const [open, setOpen] = useOpen('dock:queue', true);
  const sessionId = chat.state.get().sessionId;
  if (waiting.length === 0 || !sessionId) return null;
  const move = (index: number, by: -1 | 1): void => {
    const message = waiting[index];
    const position = index + by + offset;
    if (!message || position < 0 || index + by < 0 || index + by >= waiting.length) return;
    chat
      .attempt(chat.host.queueMove({ sessionId, turnId: message.turnId, position }))
      .catch((error: unknown) => console.error(error));
  };
  const withdraw = (message: Waiting): void => {
    chat
      .attempt(chat.host.queueWithdraw({ sessionId, turnId: message.turnId }))
      .catch((error: unknown) => console.error(error));
  };
  return (
    <section class="queue" aria-label="Waiting messages" data-region="queue">
      <Line
        icon="list-ordered"
        what={`${count(waiting.length, 'message')} waiting`}
        aside={<span class="cut muted wide">Sent in this order when the agent is done</span>}
        open={open}
        onToggle={setOpen}
        bodyId="queue-entries"
      />
      {open ? (
        <ol id="queue-entries" aria-label="Waiting messages">
          {waiting.map((message, index) => {
            const text = headline(plainText([...message.prompt]), 200);
            const other =
              message.by && message.by.id !== me ? message.by.name.split(' ', 1)[0] : null;
            return (
              <li
                key={message.turnId}
                onKeyDown={(event) => {
                  if (event.altKey && event.key === 'ArrowUp') move(index, -1);
                  else if (event.altKey && event.key === 'ArrowDown') move(index, 1);
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
                      disabled={index === 0}
                      onPress={() => move(index, -1)}
                    />
                    <IconButton icon="close" label="Withdraw" onPress={() => withdraw(message)} />
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
