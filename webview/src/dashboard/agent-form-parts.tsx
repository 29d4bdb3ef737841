import type { ComponentChildren, JSX } from 'preact';
import { TextField } from '../ui/form.tsx';
import { Icon, IconButton } from '../ui/icon.tsx';
import { opensEverything, type FieldName } from './agent-fields.ts';

export const idleChoices = [
  { value: '', label: 'Never' },
  { value: '10', label: '10 minutes' },
  { value: '30', label: '30 minutes' },
  { value: '60', label: '1 hour' },
  { value: '480', label: '8 hours' },
];
export const modes = [
  {
    value: 'ask',
    label: 'Ask first',
    detail: 'A person decides before the agent writes or runs something.',
  },
  {
    value: 'auto',
    label: 'Auto',
    detail: 'The agent decides. Sandbox and egress list are the limits.',
  },
];

export function Field(props: {
  name: FieldName;
  label: string;
  help?: string;
  fault: string | undefined;
  children: ComponentChildren;
}): JSX.Element {
  const { name, label, help, fault, children } = props;
  return (
    <div class="ff">
      <div class="lab">{label}</div>
      {help ? <div class="help">{help}</div> : null}
      {children}
      {fault ? (
        <div class="err" id={`${name}-fault`} role="alert">
          <Icon name="error" />
          <span>{fault}</span>
        </div>
      ) : null}
    </div>
  );
}

export function HostRows(props: {
  hosts: readonly string[];
  faultOf: (index: number) => string | undefined;
  onChange: (hosts: string[]) => void;
  onLeave: (index: number) => void;
}): JSX.Element {
  const { hosts, faultOf, onChange, onLeave } = props;
  return (
    <>
      {hosts.map((host, index) => {
        const fault = faultOf(index);
        return (
          <div key={index}>
            <div class="hostrow">
              <TextField
                id={`agent-host-${index}`}
                label={`Host ${index + 1}`}
                value={host}
                invalid={fault !== undefined}
                onChange={(value) => onChange(hosts.map((old, at) => (at === index ? value : old)))}
                onLeave={() => onLeave(index)}
              />
              <IconButton
                icon="close"
                label={`Remove ${host || `host ${index + 1}`}`}
                onPress={() => onChange(hosts.filter((_, at) => at !== index))}
              />
            </div>
            {fault ? (
              <div class="err" role="alert">
                <Icon name="error" />
                <span>{fault}</span>
              </div>
            ) : opensEverything(host) ? (
              <div class="warn">
                <Icon name="warning" tone="waiting" />
                <span>This opens every host. The agent could send code anywhere.</span>
              </div>
            ) : null}
          </div>
        );
      })}
    </>
  );
}
