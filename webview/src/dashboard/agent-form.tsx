import { codeOf, explain } from '@berth/client';
import type { Agent } from '@berth/contract';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../ui/button.tsx';
import { Dropdown, RadioGroup, TextArea, TextField } from '../ui/form.tsx';
import { Icon, LinkButton } from '../ui/icon.tsx';
import type { Place } from './address.ts';
import {
  agentOf,
  faultsOf,
  fieldsOf,
  titleOf,
  type AgentFields,
  type FieldName,
} from './agent-fields.ts';
import { Field, HostRows, idleChoices, modes } from './agent-form-parts.tsx';
import type { Desk, DeskState } from './desk.ts';

export function AgentForm(props: {
  desk: Desk;
  state: DeskState;
  id: string | null;
  go: (place: Place, replace?: boolean) => void;
}): JSX.Element | null {
  const { desk, state, id, go } = props;
  const [before, setBefore] = useState<Agent | null>(
    () => state.agents.find((a) => a.id === id) ?? null,
  );
  const [fields, setFields] = useState<AgentFields>(() => fieldsOf(before, state.harnesses));
  const [left, setLeft] = useState<ReadonlySet<FieldName>>(new Set());
  const [asked, setAsked] = useState(false);
  const [refused, setRefused] = useState<{ words: string; stale: boolean } | null>(null);
  const [saving, setSaving] = useState(false);
  const summary = useRef<HTMLDivElement>(null);
  const faults = faultsOf(fields, state.harnesses);
  const shown = (name: FieldName) => (asked || left.has(name) ? faults.get(name) : undefined);
  const put = (part: Partial<AgentFields>) => setFields((now) => ({ ...now, ...part }));
  const leave = (name: FieldName) => () => setLeft((now) => new Set(now).add(name));
  const toSummary = asked && faults.size > 0;
  useEffect(() => {
    if (toSummary || refused) summary.current?.focus();
  }, [asked, refused]);
  if (id !== null && !before)
    return (
      <div class="blank">
        <h2>This agent is not here</h2>
        <p>It was deleted, or it belongs to a team that you are not in.</p>
        <div class="acts">
          <Button onPress={() => go({ screen: 'agents' })}>All agents</Button>
        </div>
      </div>
    );

  const harness = state.harnesses.find((candidate) => candidate.id === fields.harness);
  const save = async (over: Agent | null = before): Promise<void> => {
    setAsked(true);
    setRefused(null);
    const agent = faults.size === 0 ? agentOf(fields) : null;
    if (!agent) return;
    setSaving(true);
    try {
      await desk.saveAgent(over, agent);
      go({ screen: 'agents' });
    } catch (error) {
      const stale = codeOf(error) === 'version-stale';
      setRefused({
        stale,
        words: stale ? 'Somebody changed this agent meanwhile.' : explain(error),
      });
    }
    setSaving(false);
  };
  const theirs = async (keepMine: boolean): Promise<void> => {
    if (!before) return;
    const agent = await desk.agent(before.id);
    setBefore(agent);
    setRefused(null);
    if (keepMine) await save(agent);
    else setFields(fieldsOf(agent, state.harnesses));
  };
  const remove = async (): Promise<void> => {
    if (!before) return;
    try {
      await desk.removeAgent(before.id);
      go({ screen: 'agents' });
    } catch (error) {
      setRefused({ words: explain(error), stale: false });
    }
  };
  const text = (name: Exclude<FieldName, `host-${number}`>, label: string, placeholder = '') => (
    <TextField
      id={`agent-${name}`}
      label={label}
      value={fields[name]}
      placeholder={placeholder}
      invalid={shown(name) !== undefined}
      onChange={(value) => put({ [name]: value })}
      onLeave={leave(name)}
    />
  );
  return (
    <div class="formpage">
      <div class="scroll0">
        <form class="form" aria-label="Agent" onSubmit={(event) => event.preventDefault()}>
          <h1>{before ? 'Edit agent' : 'New agent'}</h1>
          {toSummary || refused ? (
            <div ref={summary} class="summary" role="alert" tabIndex={-1}>
              <Icon name="error" tone="error" />
              <div>
                {refused ? (
                  <>
                    {refused.words}{' '}
                    {refused.stale ? (
                      <>
                        <LinkButton onPress={() => theirs(false)}>Show theirs</LinkButton>{' '}
                        <LinkButton onPress={() => theirs(true)}>Keep mine</LinkButton>
                      </>
                    ) : null}
                  </>
                ) : (
                  <>
                    {`Not saved. Correct ${faults.size === 1 ? 'this field' : `${faults.size} fields`}: `}
                    {[...faults.keys()].map((name, index) => (
                      <span key={name}>
                        {index > 0 ? ', ' : ''}
                        <button
                          type="button"
                          class="plainlink"
                          onClick={() => document.getElementById(`agent-${name}`)?.focus()}
                        >
                          {titleOf(name)}
                        </button>
                      </span>
                    ))}
                  </>
                )}
              </div>
            </div>
          ) : null}
          <Field name="name" label="Name" fault={shown('name')}>
            {text('name', 'Name')}
          </Field>
          <div class="two-up">
            <Field name="harness" label="Harness" fault={shown('harness')}>
              <Dropdown
                id="agent-harness"
                label="Harness"
                value={fields.harness}
                options={state.harnesses.map(({ id: value, title, version }) => ({
                  value,
                  label: `${title} ${version}`,
                }))}
                onChange={(value) => put({ harness: value })}
              />
            </Field>
            <Field name="model" label="Model" fault={shown('model')}>
              {harness?.models && harness.models.length > 0 ? (
                <Dropdown
                  id="agent-model"
                  label="Model"
                  value={fields.model}
                  invalid={shown('model') !== undefined}
                  options={[
                    { value: '', label: harness.needsModel ? 'Choose a model' : 'Its own default' },
                    ...[
                      ...new Set([...harness.models, ...(fields.model ? [fields.model] : [])]),
                    ].map((value) => ({ value, label: value })),
                  ]}
                  onChange={(value) => put({ model: value })}
                />
              ) : (
                text('model', 'Model', harness?.needsModel ? '' : 'Works without a model')
              )}
            </Field>
          </div>
          <Field
            name="instructions"
            label="Instructions"
            help="Goes before the first message of every session."
            fault={shown('instructions')}
          >
            <TextArea
              id="agent-instructions"
              label="Instructions"
              rows={4}
              value={fields.instructions}
              onChange={(instructions) => put({ instructions })}
            />
          </Field>
          <div class="ff">
            <div class="lab">Mode</div>
            <RadioGroup
              label="Mode"
              value={fields.mode}
              options={modes}
              onChange={(mode) => put({ mode: mode === 'auto' ? 'auto' : 'ask' })}
            />
          </div>
          <Field
            name="repositoryUrl"
            label="Repository"
            help="Cloned inside the sandbox when a session starts. Its host may then be reached."
            fault={shown('repositoryUrl')}
          >
            <div class="two-col">
              {text('repositoryUrl', 'Repository', 'https://')}
              {text('repositoryRef', 'Branch, tag or commit', 'main')}
            </div>
          </Field>
          <div class="ff">
            <div class="lab">Egress</div>
            <div class="help">Hosts that the sandbox may reach. Everything else is blocked.</div>
            <HostRows
              hosts={fields.hosts}
              faultOf={(index) => shown(`host-${index}`)}
              onChange={(list) => put({ hosts: list })}
              onLeave={(index) => leave(`host-${index}`)()}
            />
            <LinkButton onPress={() => put({ hosts: [...fields.hosts, ''] })}>Add host</LinkButton>
          </div>
          <Field
            name="idleMinutes"
            label="Suspend when idle"
            help="After this time without work. A message wakes it."
            fault={shown('idleMinutes')}
          >
            <Dropdown
              id="agent-idleMinutes"
              label="Suspend when idle"
              value={fields.idleMinutes}
              options={
                idleChoices.some(({ value }) => value === fields.idleMinutes)
                  ? idleChoices
                  : [
                      ...idleChoices,
                      { value: fields.idleMinutes, label: `${fields.idleMinutes} minutes` },
                    ]
              }
              onChange={(idleMinutes) => put({ idleMinutes })}
            />
          </Field>
        </form>
      </div>
      <div class="foot">
        <Button primary disabled={saving} busy={saving} onPress={() => save()}>
          Save
        </Button>
        <Button onPress={() => go({ screen: 'agents' })}>Cancel</Button>
        <span class="grow" />
        <span class="muted small">
          {before ? 'Running sessions keep what they started with.' : ''}
        </span>
        {before ? <LinkButton onPress={remove}>Delete</LinkButton> : null}
      </div>
    </div>
  );
}
