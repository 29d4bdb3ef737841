import { provideVSCodeDesignSystem, vsCodeButton } from '@vscode/webview-ui-toolkit';
import type { ComponentChildren, HTMLAttributes, JSX, Ref } from 'preact';

provideVSCodeDesignSystem().register(vsCodeButton());

declare module 'preact' {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how Preact's element table is extended
  namespace JSX {
    interface IntrinsicElements {
      'vscode-button': HTMLAttributes<HTMLElement> & {
        appearance?: 'primary' | 'secondary';
        disabled?: boolean;
      };
    }
  }
}

export function Button(props: {
  children: ComponentChildren;
  onPress: () => void;
  primary?: boolean | undefined;
  disabled?: boolean | undefined;
  busy?: boolean | undefined;
  icon?: string | undefined;
  elementRef?: Ref<HTMLElement> | undefined;
}): JSX.Element {
  const { children, onPress, primary, disabled, busy, icon, elementRef } = props;
  const shown = busy ? 'loading' : icon;
  return (
    <vscode-button
      {...(elementRef ? { ref: elementRef } : {})}
      appearance={primary ? 'primary' : 'secondary'}
      disabled={disabled === true}
      onClick={disabled ? undefined : onPress}
    >
      {shown ? (
        <span
          slot="start"
          class={`codicon codicon-${shown}${busy ? ' spin' : ''}`}
          aria-hidden="true"
        />
      ) : null}
      {children}
    </vscode-button>
  );
}
