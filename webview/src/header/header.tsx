import type { Session } from '@berth/contract';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { useChat, useNow } from '../chat/context.ts';
import { count, money } from '@berth/client/words';
import { offlineLook, statusLook } from '../store/status.ts';
import { Icon, IconButton, LineCounts } from '../ui/icon.tsx';
import { Popup } from '../ui/popup.tsx';

function Cost(props: { session: Session }): JSX.Element | null {
  const { usage, budget } = props.session;
  if (!budget)
    return Number(usage.costUsd) > 0 ? <span class="num">{money(usage.costUsd)}</span> : null;
  const percent = Math.round((Number(budget.spentUsd) / Number(budget.limitUsd)) * 100);
  const level = percent >= 100 ? 'full' : percent >= 80 ? 'near' : '';
  return (
    <span class="num">
      {`${money(budget.spentUsd)} of ${money(budget.limitUsd)}`}
      <span class={`meter ${level}`} role="img" aria-label={`${percent} percent of the budget`}>
        <i style={{ width: `${Math.min(100, percent)}%` }} />
      </span>
    </span>
  );
}

/** One tab stop; arrows move inside. */
function useToolbar(): {
  ref: { current: HTMLDivElement | null };
  onKeyDown: (event: KeyboardEvent) => void;
} {
  const ref = useRef<HTMLDivElement>(null);
  return {
    ref,
    onKeyDown: (event) => {
      if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return;
      const buttons = [...(ref.current?.querySelectorAll<HTMLElement>('.ib') ?? [])];
      const at = buttons.indexOf(document.activeElement as HTMLElement);
      const next = buttons[at + (event.key === 'ArrowRight' ? 1 : -1)];
      if (at < 0 || !next) return;
      event.preventDefault();
      next.focus();
    },
  };
}

export function Header(props: {
  session: Session;
  connected: boolean;
  lastHeardAt: number;
}): JSX.Element {
  const { session, connected, lastHeardAt } = props;
  const { chat } = useChat();
  const now = useNow(1000, connected);
  const toolbar = useToolbar();
  const look = connected ? statusLook(session, now) : offlineLook(session, lastHeardAt, now);
  const sessionId = session.id;
  const { changes } = session;
  const canWake = session.status === 'suspended';
  const awake = ['idle', 'running', 'waiting', 'stalled'].includes(session.status);
  const icon = look.icon === 'session-in-progress' ? 'loading' : look.icon;
  const { host, attempt } = chat;
  const choices = [
    { id: 'shell', label: 'Open a shell', icon: 'terminal-bash' },
    { id: 'copy-id', label: 'Copy the session id', icon: 'copy' },
    { id: 'log', label: 'Show log', icon: 'output' },
    { id: 'restart', label: 'Restart the agent', icon: 'debug-restart' },
    session.archivedAt
      ? { id: 'unarchive', label: 'Take out of the archive', icon: 'archive' }
      : { id: 'archive', label: 'Archive', icon: 'archive' },
  ];
  const act: Record<string, () => Promise<unknown>> = {
    shell: () => host.openTerminal({ sessionId, kind: 'shell' }),
    'copy-id': () => host.copy({ text: sessionId }),
    log: () => host.showLog({ sessionId }),
    restart: () => host.restartAgent({ sessionId }),
    archive: () => host.archive({ sessionId }),
    unarchive: () => host.unarchive({ sessionId }),
  };
  return (
    <header class="head" data-region="header">
      <div class="head__top">
        <Icon name={icon} tone={look.tone} spin={icon === 'loading' && connected} />
        <h1 class="grow cut" title={session.title}>
          {session.title}
        </h1>
        <div
          ref={toolbar.ref}
          class="head__acts"
          role="toolbar"
          aria-label="Session"
          onKeyDown={toolbar.onKeyDown}
        >
          <IconButton
            icon="terminal"
            label="Open the agent in a terminal"
            onPress={() => attempt(host.openTerminal({ sessionId, kind: 'agent' }))}
          />
          <IconButton
            icon="diff-multiple"
            tabIndex={-1}
            label={changes ? `Open changes, ${count(changes.files, 'file')}` : 'Open changes'}
            onPress={() => attempt(host.openChanges({ sessionId }))}
          >
            {changes && changes.files > 0 ? (
              <span class="wide">
                <LineCounts added={changes.added} deleted={changes.deleted} />
              </span>
            ) : null}
          </IconButton>
          {canWake ? (
            <IconButton
              icon="debug-start"
              tabIndex={-1}
              label="Wake"
              onPress={() => attempt(host.resume({ sessionId }))}
            />
          ) : (
            <IconButton
              icon="debug-pause"
              tabIndex={-1}
              label="Suspend"
              disabled={!awake || !connected}
              onPress={() => attempt(host.suspend({ sessionId }))}
            />
          )}
          <Popup
            role="menu"
            label="More actions"
            class="ib"
            side="below"
            tabIndex={-1}
            choices={choices}
            onChoose={(id) => {
              const action = act[id];
              if (action) attempt(action()).catch((error: unknown) => console.error(error));
            }}
          >
            <Icon name="ellipsis" />
          </Popup>
        </div>
      </div>
      <div class="head__meta">
        <span class="num">{look.words}</span>
        <span class="cut">{session.agentName}</span>
        {session.model ? <span class="wide">{session.model}</span> : null}
        <Cost session={session} />
      </div>
    </header>
  );
}
