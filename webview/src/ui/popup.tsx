import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon.tsx';

export interface Choice {
  id: string;
  label: string;
  detail?: string | undefined;
  icon?: string | undefined;
}

/** A button with a list over or under it. Arrows, Home and End move, Enter chooses, Escape closes and gives the focus back. */
export function Popup(props: {
  role: 'listbox' | 'menu';
  label: string;
  choices: readonly Choice[];
  selected?: string | undefined;
  onChoose: (id: string) => void;
  class: string;
  children: ComponentChildren;
  side: 'above' | 'below';
  tabIndex?: number | undefined;
  disabled?: boolean | undefined;
}): JSX.Element {
  const { role, label, choices, selected, onChoose, side } = props;
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const items = list.current?.querySelectorAll<HTMLElement>('[data-choice]');
    const at = Math.max(
      0,
      choices.findIndex(({ id }) => id === selected),
    );
    items?.[at]?.focus();
    const away = (event: Event) => {
      const target = event.target as Node | null;
      if (!list.current?.contains(target) && !button.current?.contains(target)) setOpen(false);
    };
    document.addEventListener('pointerdown', away, true);
    return () => document.removeEventListener('pointerdown', away, true);
  }, [open]);

  const move = (event: KeyboardEvent): void => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('[data-choice]') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const to = {
      ArrowDown: Math.min(items.length - 1, at + 1),
      ArrowUp: Math.max(0, at - 1),
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (to !== undefined) items[to]?.focus();
    else if (event.key === 'Escape') close(true);
    else if (event.key === 'Tab') {
      setOpen(false);
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <span class="popup">
      <button
        ref={button}
        type="button"
        class={props.class}
        aria-label={label}
        title={label}
        aria-haspopup={role}
        aria-expanded={open}
        disabled={props.disabled === true}
        {...(props.tabIndex === undefined ? {} : { tabIndex: props.tabIndex })}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
            event.preventDefault();
            setOpen(true);
          }
        }}
      >
        {props.children}
      </button>
      {open ? (
        <div
          ref={list}
          class={`menu menu--${side}`}
          role={role}
          aria-label={label}
          onKeyDown={move}
        >
          {choices.map((choice) => (
            <button
              key={choice.id}
              type="button"
              data-choice
              class="menu__item"
              tabIndex={-1}
              {...(role === 'listbox'
                ? { role: 'option', 'aria-selected': choice.id === selected }
                : { role: 'menuitem' })}
              onClick={() => {
                close(true);
                onChoose(choice.id);
              }}
            >
              <Icon name={choice.icon ?? (choice.id === selected ? 'check' : 'blank')} />
              <span class="grow">
                {choice.label}
                {choice.detail ? <span class="muted small block">{choice.detail}</span> : null}
              </span>
            </button>
          ))}
        </div>
      ) : null}
    </span>
  );
}
