import {
  provideVSCodeDesignSystem,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeRadio,
  vsCodeRadioGroup,
  vsCodeTextArea,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import type { ComponentChildren, HTMLAttributes, JSX } from 'preact';

provideVSCodeDesignSystem().register(
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeRadio(),
  vsCodeRadioGroup(),
  vsCodeTextArea(),
  vsCodeTextField(),
);

interface Control {
  value?: string;
  placeholder?: string;
  rows?: number;
  checked?: boolean;
  disabled?: boolean;
  type?: string;
  selected?: boolean;
  resize?: string;
  orientation?: string;
  name?: string;
}
declare module 'preact' {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how Preact's element table is extended
  namespace JSX {
    interface IntrinsicElements {
      'vscode-text-field': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
      'vscode-text-area': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
      'vscode-dropdown': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
      'vscode-option': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
      'vscode-checkbox': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
      'vscode-radio': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
      'vscode-radio-group': Omit<HTMLAttributes<HTMLElement>, keyof Control> & Control;
    }
  }
}

interface FieldProps {
  id?: string | undefined;
  label: string;
  value: string;
  onChange: (value: string) => void;
  onLeave?: (() => void) | undefined;
  invalid?: boolean | undefined;
  placeholder?: string | undefined;
}
/** The toolkit writes "Text field" over a name that was there before the element was: it is given once more. */
const named =
  (label: string) =>
  (element: HTMLElement | null): void =>
    element?.setAttribute('aria-label', label);
const valueOf = (event: Event): string =>
  String((event.currentTarget as unknown as { value: unknown }).value);

/**
 * The toolkit puts the control into its shadow root, where a label outside cannot name it; it copies `aria-label` to it, so the name
 * goes there, and the visible label is for the eye.
 */
export function TextField(props: FieldProps & { type?: 'text' | 'password' }): JSX.Element {
  return (
    <vscode-text-field
      ref={named(props.label)}
      {...(props.id ? { id: props.id } : {})}
      class={props.invalid ? 'invalid' : ''}
      aria-label={props.label}
      aria-invalid={props.invalid === true}
      value={props.value}
      placeholder={props.placeholder ?? ''}
      type={props.type ?? 'text'}
      onInput={(event) => props.onChange(valueOf(event))}
      onBlur={props.onLeave}
    />
  );
}

export function TextArea(props: FieldProps & { rows: number }): JSX.Element {
  return (
    <vscode-text-area
      ref={named(props.label)}
      {...(props.id ? { id: props.id } : {})}
      class={props.invalid ? 'invalid' : ''}
      aria-label={props.label}
      value={props.value}
      rows={props.rows}
      resize="vertical"
      placeholder={props.placeholder ?? ''}
      onInput={(event) => props.onChange(valueOf(event))}
      onBlur={props.onLeave}
    />
  );
}

export function Dropdown(props: {
  id?: string | undefined;
  label: string;
  value: string;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
  invalid?: boolean | undefined;
}): JSX.Element {
  return (
    <vscode-dropdown
      {...(props.id ? { id: props.id } : {})}
      class={props.invalid ? 'invalid' : ''}
      aria-label={props.label}
      value={props.value}
      onChange={(event) => props.onChange(valueOf(event))}
    >
      {props.options.map((option) => (
        <vscode-option
          key={option.value}
          value={option.value}
          selected={option.value === props.value}
        >
          {option.label}
        </vscode-option>
      ))}
    </vscode-dropdown>
  );
}

export function Checkbox(props: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <vscode-checkbox
      checked={props.checked}
      onChange={(event) =>
        props.onChange((event.currentTarget as unknown as { checked: boolean }).checked)
      }
    >
      {props.children}
    </vscode-checkbox>
  );
}

export function RadioGroup(props: {
  label: string;
  value: string;
  options: readonly { value: string; label: string; detail: string }[];
  onChange: (value: string) => void;
}): JSX.Element {
  return (
    <vscode-radio-group
      aria-label={props.label}
      orientation="vertical"
      value={props.value}
      onChange={(event) => {
        const { value } = event.target as unknown as { value: string };
        if (value && value !== props.value) props.onChange(value);
      }}
    >
      {props.options.map((option) => (
        <vscode-radio
          key={option.value}
          value={option.value}
          checked={option.value === props.value}
        >
          <span>
            {option.label}
            <span class="muted small block">{option.detail}</span>
          </span>
        </vscode-radio>
      ))}
    </vscode-radio-group>
  );
}
