import type { ComponentChildren, JSX } from 'preact';
import type { Tone } from '@berth/client/status';

export function Icon(props: {
  name: string;
  tone?: Tone | undefined;
  spin?: boolean | undefined;
  class?: string;
}): JSX.Element {
  const { name, tone, spin } = props;
  const turning = spin ?? name === 'loading';
  return (
    <i
      class={`codicon codicon-${name}${turning ? ' spin' : ''}${tone ? ` i-${tone}` : ''}${props.class ? ` ${props.class}` : ''}`}
      aria-hidden="true"
    />
  );
}

export function IconButton(props: {
  icon: string;
  label: string;
  onPress: () => void;
  disabled?: boolean | undefined;
  title?: string | undefined;
  expanded?: boolean | undefined;
  tabIndex?: number | undefined;
  children?: ComponentChildren;
}): JSX.Element {
  const { icon, label, onPress, disabled, title, expanded, tabIndex, children } = props;
  return (
    <button
      type="button"
      class="ib"
      {...(children ? {} : { 'aria-label': label })}
      title={title ?? label}
      disabled={disabled === true}
      onClick={onPress}
      {...(expanded === undefined ? {} : { 'aria-expanded': expanded, 'aria-haspopup': 'menu' })}
      {...(tabIndex === undefined ? {} : { tabIndex })}
    >
      <Icon name={icon} />
      {children ? <span class="sr">{`${label}, `}</span> : null}
      {children}
    </button>
  );
}

/** A button that reads as a link: an action of second rank. */
export function LinkButton(props: {
  children: ComponentChildren;
  onPress: () => void;
  class?: string;
  disabled?: boolean;
}): JSX.Element {
  return (
    <button
      type="button"
      class={`link${props.class ? ` ${props.class}` : ''}`}
      disabled={props.disabled === true}
      onClick={props.onPress}
    >
      {props.children}
    </button>
  );
}

/** Numbers of lines with their spoken form. */
export function LineCounts(props: { added: number; deleted: number }): JSX.Element {
  const { added, deleted } = props;
  return (
    <span class="num">
      <span class="sr">{`${added} lines added, ${deleted} removed`}</span>
      <span aria-hidden="true">
        <span class="add">+{added}</span> <span class="del">−{deleted}</span>
      </span>
    </span>
  );
}
