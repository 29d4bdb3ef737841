import { explain } from '@berth/client';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button } from '../ui/button.tsx';
import { Dropdown, TextArea } from '../ui/form.tsx';
import { Icon } from '../ui/icon.tsx';
import type { Place } from './address.ts';
import type { Desk, DeskState } from './desk.ts';

export function NewSession(props: {
  desk: Desk;
  state: DeskState;
  agentId: string | null;
  go: (place: Place, replace?: boolean) => void;
}): JSX.Element {
  const { desk, state, go } = props;
  // The agent of the latest session first: mostly it is the next one's, too.
  const latest = [...state.sessions.values()].sort((a, b) =>
    b.createdAt.localeCompare(a.createdAt),
  );
  const known = (id: string | undefined | null) => state.agents.find((agent) => agent.id === id);
  const first = known(props.agentId) ?? known(latest[0]?.agentId) ?? state.agents[0];
  const [agentId, setAgentId] = useState(first?.id ?? '');
  const [message, setMessage] = useState('');
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const agent = known(agentId);
  const create = async (): Promise<void> => {
    if (!agent || busy) return;
    setBusy(true);
    const text = message.trim();
    try {
      const session = await desk.createSession(
        agent.id,
        text === '' ? [] : [{ type: 'text', text }],
      );
      go({ screen: 'session', id: session.id }, true);
    } catch (error) {
      setRefusal(explain(error));
      setBusy(false);
    }
  };
  if (!agent)
    return (
      <div class="blank">
        <h2>No agents yet</h2>
        <p>A session is one conversation with an agent. Make an agent first.</p>
        <div class="acts">
          <Button primary onPress={() => go({ screen: 'agent', id: null })}>
            New agent
          </Button>
        </div>
      </div>
    );
  return (
    <div class="formpage">
      <div class="scroll0">
        <form
          class="form"
          aria-label="New session"
          onSubmit={(event) => event.preventDefault()}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
            event.preventDefault();
            create().catch((error: unknown) => setRefusal(String(error)));
          }}
        >
          <h1>New session</h1>
          {refusal ? (
            <div class="summary" role="alert">
              <Icon name="error" tone="error" />
              <div>{refusal}</div>
            </div>
          ) : null}
          <div class="ff">
            <div class="lab">Agent</div>
            <Dropdown
              label="Agent"
              value={agentId}
              options={state.agents.map(({ id, name }) => ({ value: id, label: name }))}
              onChange={setAgentId}
            />
            <div class="help help--below">
              {agent.repository
                ? `Works in ${agent.repository.url}${agent.repository.ref ? ` at ${agent.repository.ref}` : ''}.`
                : 'Starts with an empty folder.'}{' '}
              {agent.mode === 'ask' ? 'Asks before it writes or runs something.' : ''}
            </div>
          </div>
          <div class="ff">
            <div class="lab">First message</div>
            <TextArea
              label="First message"
              rows={6}
              value={message}
              placeholder="Write what the agent should do."
              onChange={setMessage}
            />
          </div>
        </form>
      </div>
      <div class="foot">
        <Button primary disabled={busy} busy={busy} onPress={create}>
          Start session
        </Button>
        <Button onPress={() => history.back()}>Cancel</Button>
        <span class="grow" />
        <span class="muted small">Ctrl+Enter starts it</span>
      </div>
    </div>
  );
}
