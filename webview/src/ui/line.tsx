import type { ComponentChildren, JSX, Ref } from 'preact';
import { Icon } from './icon.tsx';
import type { Tone } from '@berth/client/status';

/**
 * A row of one line. What opens is one button whose area covers the whole row; the row's own actions are its siblings, above that
 * area, never inside it.
 */
export function Line(props: {
  icon: string;
  tone?: Tone | undefined;
  spin?: boolean | undefined;
  what: ComponentChildren;
  object?: string | undefined;
  /** Muted words behind the object, part of the button. */
  aside?: ComponentChildren;
  meta?: ComponentChildren;
  actions?: ComponentChildren;
  open?: boolean | undefined;
  onToggle?: ((open: boolean) => void) | undefined;
  bodyId?: string | undefined;
  buttonRef?: Ref<HTMLButtonElement> | undefined;
}): JSX.Element {
  const {
    icon,
    tone,
    spin,
    what,
    object,
    aside,
    meta,
    actions,
    open,
    onToggle,
    bodyId,
    buttonRef,
  } = props;
  const inner = (
    <>
      <Icon name={icon} tone={tone} spin={spin} />
      <span class="what">{what}</span>
      {object ? (
        <span class="obj cut" title={object}>
          {object}
        </span>
      ) : null}
      {aside}
    </>
  );
  return (
    <div class="line">
      {onToggle ? (
        <button
          {...(buttonRef ? { ref: buttonRef } : {})}
          type="button"
          class="line__b"
          aria-expanded={open === true}
          {...(open && bodyId ? { 'aria-controls': bodyId } : {})}
          onClick={() => onToggle(!open)}
          onKeyDown={(event) => {
            const wanted =
              event.key === 'ArrowRight' ? true : event.key === 'ArrowLeft' ? false : null;
            if (wanted === null || event.altKey || event.ctrlKey || event.metaKey) return;
            event.preventDefault();
            if (wanted !== open) onToggle(wanted);
          }}
        >
          {inner}
        </button>
      ) : (
        <span class="line__b">{inner}</span>
      )}
      {meta ? <span class="meta">{meta}</span> : null}
      {actions}
      {onToggle ? (
        <Icon name={open ? 'chevron-down' : 'chevron-right'} class="chev" />
      ) : (
        <span class="chev" />
      )}
    </div>
  );
}
