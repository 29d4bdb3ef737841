import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useChat } from '../chat/context.ts';
import type { View } from '../store/view.ts';
import { Icon } from '../ui/icon.tsx';
import type { Trigger } from './trigger.ts';

export interface Suggestion {
  id: string;
  label: string;
  detail: string;
  icon: string;
  uri: string | null;
}

const shownMax = 8;
export function useSuggestions(
  trigger: Trigger | null,
  commands: View['commands'],
): readonly Suggestion[] {
  const { chat } = useChat();
  const [files, setFiles] = useState<readonly Suggestion[]>([]);
  const query = trigger?.kind === 'mention' ? trigger.query : null;
  useEffect(() => {
    if (query === null) {
      setFiles([]);
      return;
    }
    const sessionId = chat.state.get().sessionId;
    if (!sessionId) return;
    let current = true;
    chat.host
      .mention({ sessionId, query })
      .then(({ items }) => {
        if (!current) return;
        setFiles(
          items.slice(0, shownMax).map(({ uri, name }) => ({
            id: uri,
            label: name,
            detail: '',
            icon: 'file',
            uri,
          })),
        );
      })
      // No list is the right list while the sandbox cannot be asked.
      .catch(() => current && setFiles([]));
    return () => {
      current = false;
    };
  }, [query]);
  if (trigger?.kind === 'command') {
    const wanted = trigger.query.toLowerCase();
    return commands
      .filter(({ name }) => name.toLowerCase().includes(wanted))
      .slice(0, shownMax)
      .map(({ name, description }) => ({
        id: name,
        label: `/${name}`,
        detail: description,
        icon: 'terminal',
        uri: null,
      }));
  }
  return trigger ? files : [];
}

/** The list over the composer. The focus stays in the text: arrows move, Enter or Tab take, Escape closes. */
export function SuggestionList(props: {
  id: string;
  items: readonly Suggestion[];
  active: number;
  onTake: (item: Suggestion) => void;
}): JSX.Element {
  return (
    <div class="menu menu--above suggest" role="listbox" id={props.id} aria-label="Suggestions">
      {props.items.map((item, index) => (
        <div
          key={item.id}
          id={`${props.id}-${index}`}
          class={`menu__item${index === props.active ? ' b-selected' : ''}`}
          role="option"
          aria-selected={index === props.active}
          onMouseDown={(event) => {
            event.preventDefault();
            props.onTake(item);
          }}
        >
          <Icon name={item.icon} />
          <span class="cut">{item.label}</span>
          {item.detail ? <span class="cut muted small">{item.detail}</span> : null}
        </div>
      ))}
    </div>
  );
}
