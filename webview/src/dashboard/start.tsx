import {
  attachTerminal,
  codeOf,
  connectBrowser,
  createClient,
  explain,
  openChannels,
} from '@berth/client';
import { render } from 'preact';
import { Button } from '../ui/button.tsx';
import { Dashboard } from './dashboard.tsx';
import { openDesk } from './desk.ts';
import { followTheme } from './theme.ts';

/** The dashboard: the API of the server that gave this page, over the cookie that it set. */
export async function startInBrowser(root: HTMLElement): Promise<void> {
  followTheme(document.body);
  const client = createClient({ url: location.origin });
  const dial = { client, connect: connectBrowser, tickets: true };
  try {
    const channels = openChannels(dial);
    const desk = await openDesk({
      client,
      channels,
      attach: (terminalId, size) => attachTerminal({ ...dial, terminalId, size }),
      storage: localStorage,
    });
    window.addEventListener('online', () => channels.reconnectNow());
    render(<Dashboard desk={desk} />, root);
  } catch (error) {
    const signedOut = codeOf(error) === 'not-signed-in';
    render(
      <main class="blank">
        <h2>{signedOut ? 'You are signed out' : 'The server does not answer'}</h2>
        <p>
          {signedOut
            ? 'Run “berth open” on the machine where Berth runs, or open the page from VS Code.'
            : `Agents go on without this page. ${explain(error)}`}
        </p>
        <div class="acts">
          <Button primary onPress={() => location.reload()}>
            Try now
          </Button>
        </div>
      </main>,
      root,
    );
  }
}
