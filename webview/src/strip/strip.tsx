import type { JSX } from 'preact';
import { useChat, useNow } from '../chat/context.ts';
import type { ChatState } from '../store/chat.ts';
import { Icon, LinkButton } from '../ui/icon.tsx';

/** At most one line, about the view and not the work; the most important first. */
export function Strip(props: { state: ChatState }): JSX.Element | null {
  const { state } = props;
  const { chat } = useChat();
  const { connection, hello, nextTryAt } = state;
  const now = useNow(1000, connection.state === 'waiting');
  if (hello && !hello.isolated)
    return (
      <div class="strip" role="note" data-region="strip">
        <Icon name="unlock" tone="error" />
        <span class="grow">
          <b class="bad">No isolation.</b> This server runs agents without a sandbox.
        </span>
      </div>
    );
  switch (connection.state) {
    case 'connected':
      break;
    case 'signedOut':
      return (
        <div class="strip" role="status" data-region="strip">
          <Icon name="sign-in" />
          <span class="grow">You are signed out. Your draft is kept.</span>
          <LinkButton onPress={() => chat.attempt(chat.host.signIn({}))}>Sign in</LinkButton>
        </div>
      );
    case 'incompatible':
      return (
        <div class="strip" role="status" data-region="strip">
          <Icon name="sync" />
          <span class="grow">
            {connection.detail ?? 'The server is newer than this view. Update Berth to go on.'}
          </span>
        </div>
      );
    case 'connecting':
    case 'waiting': {
      const seconds = nextTryAt === null ? 0 : Math.ceil((nextTryAt - now) / 1000);
      return (
        <div class="strip" role="status" data-region="strip">
          <Icon name="debug-disconnect" tone="waiting" />
          <span class="grow">
            Connection lost. The agent goes on; you see the rest when the connection is back.{' '}
            <span class="num" aria-hidden="true">
              {connection.state === 'waiting' && seconds > 0
                ? `Next try in ${seconds} s.`
                : 'Trying now.'}
            </span>
          </span>
          <LinkButton onPress={() => chat.attempt(chat.host.reconnect({}))}>Try now</LinkButton>
        </div>
      );
    }
  }
  if (hello && !hello.canWrite)
    return (
      <div class="strip" role="status" data-region="strip">
        <Icon name="eye" />
        <span class="grow">
          {`You can read this session. Only members of ${hello.me.team} can write.`}
        </span>
      </div>
    );
  return null;
}
