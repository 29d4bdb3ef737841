import { render } from 'preact';
import { ChatView } from '../chat/chat.tsx';
import { systemClock } from '../clock.ts';
import { createRemoteHost, type CallMessage } from '../ipc/index.ts';
import { createChat } from '../store/chat.ts';

interface EditorApi {
  postMessage(message: CallMessage): void;
}
declare global {
  // Given by VS Code to its webviews, once.
  // eslint-disable-next-line no-var -- a global function can only be declared this way
  var acquireVsCodeApi: (() => EditorApi) | undefined;
}

/** The chat in a panel of VS Code: everything goes through messages to the extension. */
export async function startInEditor(root: HTMLElement): Promise<void> {
  const api = globalThis.acquireVsCodeApi?.();
  if (!api) throw new Error('this page was opened outside the editor');
  const { host, receive } = createRemoteHost((message) => api.postMessage(message));
  window.addEventListener('message', (event: MessageEvent<unknown>) => receive(event.data));
  const chat = createChat({ host, clock: systemClock, schedule: (run, ms) => setTimeout(run, ms) });
  render(<ChatView chat={chat} main newId={() => crypto.randomUUID()} />, root);
  await chat.start();
}
