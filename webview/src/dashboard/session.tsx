import type { Terminal } from '@berth/contract';
import { explain } from '@berth/client';
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ChatView } from '../chat/chat.tsx';
import { systemClock } from '../clock.ts';
import { createChat } from '../store/chat.ts';
import type { Desk } from './desk.ts';
import { Side, type Tab } from './side.tsx';

/** The size at which a terminal is asked for; its own view says the true one as soon as it stands. */
const firstSize = { cols: 100, rows: 30 };
const tabOf = (terminal: Terminal, number: number): Tab => ({
  kind: 'terminal',
  key: terminal.id,
  title: terminal.kind === 'agent' ? 'Agent' : `Shell ${number}`,
  terminal,
});

/** Chat left, terminal right; where there is no room for both, they are tabs. */
export function SessionPage(props: { desk: Desk; id: string }): JSX.Element {
  const { desk, id } = props;
  const [tabs, setTabs] = useState<readonly Tab[]>([]);
  const [active, setActive] = useState<string | null>(null);
  const [face, setFace] = useState<'chat' | 'side'>('chat');
  const [refusal, setRefusal] = useState<string | null>(null);
  const [share, setShare] = useState(50);
  const split = useRef<HTMLDivElement>(null);
  const latest = useRef(tabs);
  latest.current = tabs;

  const show = (tab: Tab): void => {
    setTabs((now) => [...now.filter(({ key }) => key !== tab.key), tab]);
    setActive(tab.key);
    setFace('side');
  };
  const openTerminal = async (kind: Terminal['kind']): Promise<void> => {
    const open = latest.current.find(
      (tab) => tab.kind === 'terminal' && kind === 'agent' && tab.terminal.kind === 'agent',
    );
    if (open) {
      setActive(open.key);
      setFace('side');
      return;
    }
    const terminal = await desk.terminals.open(id, kind, firstSize);
    const shells = latest.current.filter(
      (tab) => tab.kind === 'terminal' && tab.terminal.kind === 'shell',
    ).length;
    show(tabOf(terminal, shells + 1));
  };
  const { chat, host } = useMemo(() => {
    const made = desk.chatHost({
      openTerminal,
      openChanges: (path) =>
        show({ kind: 'changes', key: 'changes', title: 'Changes', path: path ?? null }),
      openText: (title, text) => show({ kind: 'text', key: 'text', title, text }),
    });
    return {
      host: made,
      chat: createChat({
        host: made,
        clock: systemClock,
        schedule: (run, ms) => setTimeout(run, ms),
      }),
    };
  }, [desk, id]);
  useEffect(() => {
    const report = (error: unknown) => setRefusal(explain(error));
    chat
      .start()
      .then(() => chat.open(id))
      .catch(report);
    // What runs in this session's terminals goes on whoever looks: show it again.
    desk.terminals.list(id).then((open) => {
      let shells = 0;
      setTabs(
        open.map((terminal) => tabOf(terminal, terminal.kind === 'shell' ? (shells += 1) : 0)),
      );
    }, report);
    return () => {
      chat.close();
      host.close();
    };
  }, [chat, host, id]);

  const newShell = async (): Promise<void> => {
    setRefusal(null);
    try {
      await openTerminal('shell');
    } catch (error) {
      setRefusal(explain(error));
    }
  };
  const resize = (percent: number) => setShare(Math.min(75, Math.max(25, percent)));
  return (
    <div class={`split split--${face}`} ref={split} style={{ '--share': `${share}%` }}>
      <div class="split__faces" role="tablist" aria-label="Parts of the session">
        {(['chat', 'side'] as const).map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={face === name}
            onClick={() => setFace(name)}
          >
            {name === 'chat' ? 'Chat' : 'Terminal'}
          </button>
        ))}
      </div>
      <ChatView chat={chat} newId={desk.newId} main={false} />
      <div
        class="sash"
        role="separator"
        aria-orientation="vertical"
        aria-label="Resize chat and terminal"
        aria-valuenow={Math.round(share)}
        tabIndex={0}
        onKeyDown={(event) => {
          const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
          if (step) resize(share + step);
        }}
        onPointerDown={(event) => {
          const box = split.current?.getBoundingClientRect();
          if (!box) return;
          const sash = event.currentTarget;
          sash.setPointerCapture(event.pointerId);
          const move = (moved: PointerEvent) =>
            resize(((moved.clientX - box.left) / box.width) * 100);
          sash.addEventListener('pointermove', move);
          sash.addEventListener('pointerup', () => sash.removeEventListener('pointermove', move), {
            once: true,
          });
        }}
      />
      <Side
        desk={desk}
        sessionId={id}
        tabs={tabs}
        active={active}
        refusal={refusal}
        onActivate={setActive}
        onClose={(tab) => setTabs((now) => now.filter(({ key }) => key !== tab.key))}
        onNewShell={newShell}
      />
    </div>
  );
}
