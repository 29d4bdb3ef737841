import type { Session } from '@berth/contract';
import type { ComponentChildren, JSX } from 'preact';
import { useChat } from '../chat/context.ts';
import { Button } from '../ui/button.tsx';
import type { View } from '../store/view.ts';
import { Icon, LinkButton } from '../ui/icon.tsx';
import type { Held } from './held-by.ts';

/** Who has the conversation in a terminal: whoever opened the one that is still there. */
function holderOf(view: View, me: string): string {
  const terminal = [...view.terminals.values()].findLast(({ kind }) => kind === 'agent');
  const by = terminal?.by;
  if (!by) return 'Somebody has';
  return by.id === me ? 'You have' : `${by.name} has`;
}

export function HeldLine(props: {
  held: Exclude<Held, null>;
  session: Session;
  view: View;
  me: { id: string; team: string };
}): JSX.Element {
  const { held, session, view, me } = props;
  const { chat } = useChat();
  const sessionId = session.id;
  const { host, attempt } = chat;
  const line = (icon: string, words: string, actions: ComponentChildren, alert = false) => (
    <div class="held" role={alert ? 'alert' : 'status'}>
      <Icon name={icon} {...(alert ? { tone: 'error' as const } : {})} />
      <span class="grow">{words}</span>
      {actions}
    </div>
  );
  switch (held) {
    case 'suspended':
      return line(
        'debug-pause',
        session.status === 'suspending' ? 'Suspending.' : 'Suspended. A message wakes it.',
        <Button onPress={() => attempt(host.resume({ sessionId }))}>Wake now</Button>,
      );
    case 'terminal':
      return line(
        'terminal',
        `${holderOf(view, me.id)} this conversation open in a terminal. What you write here waits until it is back.`,
        <>
          <LinkButton onPress={() => attempt(host.openTerminal({ sessionId, kind: 'agent' }))}>
            Open the terminal
          </LinkButton>
          <Button onPress={() => attempt(host.takeBack({ sessionId }))}>Take it back</Button>
        </>,
      );
    case 'signed-out':
      return line(
        'sign-in',
        'You are signed out. Your draft is kept.',
        <Button primary onPress={() => attempt(host.signIn({}))}>
          Sign in
        </Button>,
      );
    case 'archived':
      return line(
        'archive',
        'This session is archived.',
        <Button onPress={() => attempt(host.unarchive({ sessionId }))}>Take it out</Button>,
      );
    case 'failed':
      return line(
        'error',
        session.reason ? `The session failed: ${session.reason}` : 'The session failed.',
        <>
          <Button onPress={() => attempt(host.showLog({ sessionId }))}>Show log</Button>
          <Button primary onPress={() => attempt(host.resume({ sessionId }))}>
            Start again
          </Button>
        </>,
        true,
      );
    case 'lost':
      return line(
        'debug-disconnect',
        'The sandbox is gone. The conversation is safe; files that were not saved in the volume are not.',
        <Button primary onPress={() => attempt(host.resume({ sessionId }))}>
          Make a new sandbox
        </Button>,
        true,
      );
    case 'read-only':
      return line('eye', `You can read this session. Only members of ${me.team} can write.`, null);
  }
}
