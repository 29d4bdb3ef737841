import { render } from 'preact';
import { ChatView } from '../chat/chat.tsx';
import { systemClock } from '../clock.ts';
import { createRemoteHost, type CallMessage } from '../ipc/index.ts';
import { createChat } from '../store/chat.ts';

interface EditorApi {
  postMessage(message: CallMessage): void;
  /** What the editor hands to the extension when it makes this panel again after a reload. */
  setState(state: { sessionId: string }): void;
}
declare global {
  // Given by VS Code to its webviews, once.
  var acquireVsCodeApi: (() => EditorApi) | undefined;
}

/** The chat in a panel of VS Code: everything goes through messages to the extension. */
export async function startInEditor(root: HTMLElement): Promise<void> {
  const api = globalThis.acquireVsCodeApi?.();
  if (!api) throw new Error('this page was opened outside the editor');
  const sessionId = document.body.dataset['sessionId'];
  if (sessionId !== undefined) api.setState({ sessionId });
  const { host, receive } = createRemoteHost((message) => api.postMessage(message));
  window.addEventListener('message', (event: MessageEvent<unknown>) => receive(event.data));
  const chat = createChat({ host, clock: systemClock, schedule: (run, ms) => setTimeout(run, ms) });
  render(<ChatView chat={chat} main newId={() => crypto.randomUUID()} />, root);
  await chat.start();
}
