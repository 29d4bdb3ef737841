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
export interface Suggestions {
  readonly items: readonly Suggestion[];
  /** What stands there instead of items: nothing fits, or nothing can be listed. */
  readonly note: string | null;
}
const none: Suggestions = { items: [], note: null };

const shownMax = 8;
export function useSuggestions(trigger: Trigger | null, commands: View['commands']): Suggestions {
  const { chat } = useChat();
  const [files, setFiles] = useState<Suggestions>(none);
  const query = trigger?.kind === 'mention' ? trigger.query : null;
  useEffect(() => {
    const { sessionId } = chat.state.get();
    if (query === null || !sessionId) {
      setFiles(none);
      return;
    }
    let current = true;
    chat.host.mention({ sessionId, query }).then(
      ({ items }) => current && setFiles(fileSuggestions(items)),
      () =>
        current && setFiles({ items: [], note: 'The files are listed when the sandbox is awake.' }),
    );
    return () => {
      current = false;
    };
  }, [query]);
  if (trigger?.kind === 'command') return commandSuggestions(commands, trigger.query);
  return trigger ? files : none;
}

function fileSuggestions(items: readonly { uri: string; name: string }[]): Suggestions {
  if (items.length === 0) return { items: [], note: 'No file of the workspace fits.' };
  return {
    note: null,
    items: items.slice(0, shownMax).map(({ uri, name }) => ({
      id: uri,
      label: name,
      detail: '',
      icon: name.endsWith('/') ? 'folder' : 'file',
      uri,
    })),
  };
}

export function commandSuggestions(commands: View['commands'], query: string): Suggestions {
  const wanted = query.toLowerCase();
  const fits = commands.filter(({ name }) => name.toLowerCase().includes(wanted));
  // What begins with the letters comes before what only holds them.
  const order = (name: string) => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
  return {
    // A slash may be the beginning of a path or of plain text: no word about what is not there.
    note: commands.length === 0 && wanted === '' ? 'This agent has no commands.' : null,
    items: fits
      .toSorted((a, b) => order(a.name) - order(b.name))
      .slice(0, shownMax)
      .map(({ name, description, hint }) => ({
        id: name,
        label: hint ? `/${name} ${hint}` : `/${name}`,
        detail: description,
        icon: 'terminal',
        uri: null,
      })),
  };
}

/** The list over the composer. The focus stays in the text: arrows move, Enter or Tab take, Escape closes. */
export function SuggestionList(props: {
  id: string;
  suggestions: Suggestions;
  active: number;
  onTake: (item: Suggestion) => void;
}): JSX.Element | null {
  const { id, suggestions, active, onTake } = props;
  if (suggestions.items.length === 0)
    return suggestions.note === null ? null : (
      <p class="menu menu--above suggest muted" role="status">
        {suggestions.note}
      </p>
    );
  return (
    <div class="menu menu--above suggest" role="listbox" id={id} aria-label="Suggestions">
      {suggestions.items.map((item, index) => (
        <div
          key={item.id}
          id={`${id}-${index}`}
          class={`menu__item${index === active ? ' b-selected' : ''}`}
          role="option"
          aria-selected={index === active}
          onMouseDown={(event) => {
            event.preventDefault();
            onTake(item);
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
