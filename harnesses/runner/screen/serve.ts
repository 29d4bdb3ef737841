import type { MessagePort } from 'node:worker_threads';
import { createScreen } from './headless.ts';
import type { Screen } from './screen.ts';
import type { FromScreens, ToScreens } from './wire.ts';

/** The screens' own thread: each request goes to its screen in the order in which it came. */
export function serveScreens(port: Pick<MessagePort, 'on' | 'postMessage'>): void {
  const screens = new Map<number, Screen>();
  const tell = (message: FromScreens, moved: Uint8Array[] = []): void =>
    port.postMessage(
      message,
      moved.map(({ buffer }) => buffer as ArrayBuffer),
    );

  function open({ id, ...size }: Extract<ToScreens, { op: 'open' }>): void {
    const screen = createScreen(size);
    screens.set(id, screen);
    screen.onReply((bytes) => tell({ op: 'reply', id, bytes: new Uint8Array(bytes) }));
    let telling = false;
    screen.onParsed(() => {
      if (telling) return;
      telling = true;
      // Once for all pieces of a turn: the other side only wants to know how far it is.
      queueMicrotask(() => {
        telling = false;
        tell({ op: 'parsed', id, bytes: screen.parsed });
      });
    });
  }

  function take(message: ToScreens): void {
    if (message.op === 'open') {
      open(message);
      return;
    }
    const { id } = message;
    const screen = screens.get(id);
    if (!screen) return;
    switch (message.op) {
      case 'feed':
        screen.feed(message.bytes);
        return;
      case 'resize':
        screen.resize(message.cols, message.rows);
        return;
      case 'snapshot':
        answer(message, screen.snapshot(message), (snapshot) => {
          const bytes = new Uint8Array(snapshot.bytes);
          tell({ op: 'snapshot', id, ask: message.ask, snapshot: { ...snapshot, bytes } }, [bytes]);
        });
        return;
      case 'text':
        answer(message, screen.text(), (shown) =>
          tell({ op: 'text', id, ask: message.ask, shown }),
        );
        return;
      case 'close':
        screens.delete(id);
        screen.dispose();
    }
  }
  function answer<T>(
    { id, ask }: { id: number; ask: number },
    asked: Promise<T>,
    give: (value: T) => void,
  ): void {
    asked.then(give, (error: unknown) =>
      tell({
        op: 'failed',
        id,
        ask,
        reason: error instanceof Error ? error.message : String(error),
      }),
    );
  }

  port.on('message', take);
}
