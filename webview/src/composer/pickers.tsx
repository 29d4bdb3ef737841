import type { Session } from '@berth/contract';
import type { JSX } from 'preact';
import { useChat } from '../chat/context.ts';
import type { View } from '../store/view.ts';
import { Icon } from '../ui/icon.tsx';
import { Popup } from '../ui/popup.tsx';

const ours: Record<string, { label: string; detail: string }> = {
  ask: {
    label: 'Ask first',
    detail: 'A person decides before the agent writes or runs something.',
  },
  auto: { label: 'Auto', detail: 'The agent decides. Sandbox and egress list are the limits.' },
};

/** How the agent may act and which model it uses: for this session, from the next message on. */
export function Pickers(props: {
  session: Session;
  view: View;
  models: readonly string[];
  connected: boolean;
}): JSX.Element {
  const { session, view, models, connected } = props;
  const { chat } = useChat();
  const sessionId = session.id;
  const modes =
    view.mode && view.mode.choices.length > 0
      ? view.mode.choices.map(({ id, name, description }) => ({
          id,
          label: ours[id]?.label ?? name,
          detail: ours[id]?.detail ?? description,
        }))
      : Object.entries(ours).map(([id, words]) => ({ id, ...words }));
  // The agent may have changed its mode itself; what it says last holds.
  const mode = view.mode?.current ?? session.mode;
  const modeName = modes.find(({ id }) => id === mode)?.label ?? mode;
  const report = (error: unknown) => console.error(error);
  return (
    <>
      <Popup
        role="listbox"
        side="above"
        class="ib pick"
        label={`Mode: ${modeName}`}
        choices={modes}
        selected={mode}
        disabled={!connected}
        onChoose={(id) => {
          chat.attempt(chat.host.setMode({ sessionId, mode: id })).catch(report);
        }}
      >
        <span class="cut">{modeName}</span>
        <Icon name="chevron-down" />
      </Popup>
      {session.model !== undefined ? (
        <Popup
          role="listbox"
          side="above"
          class="ib pick"
          label={`Model: ${session.model}`}
          choices={models.map((id) => ({ id, label: id }))}
          selected={session.model}
          disabled={!connected}
          onChoose={(model) => {
            chat.attempt(chat.host.setModel({ sessionId, model })).catch(report);
          }}
        >
          <span class="cut">{session.model}</span>
          <Icon name="chevron-down" />
        </Popup>
      ) : null}
    </>
  );
}
