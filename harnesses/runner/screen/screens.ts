import { Worker } from 'node:worker_threads';
import type { Screen, ScreenSnapshot } from './screen.ts';
import type { FromScreens, ScreenText, ToScreens } from './wire.ts';

/** Beside the bundle in a build, beside this file in the sources. */
const script = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './screens.mjs',
  import.meta.url,
);

/** What a flood leaves is garbage at once. By itself, V8 lets 100 MB more of it pile up (Node 24.21, 2 cores), for no more speed. */
const maxYoungGenerationSizeMb = 24;

export interface Screens extends AsyncDisposable {
  open(size: { cols: number; rows: number; scrollback: number }): Screen;
}
type Asked<T> = Map<number, { resolve: (value: T) => void; reject: (error: Error) => void }>;
interface Remote {
  parsed: number;
  onParsed: () => void;
  onReply: (bytes: Uint8Array) => void;
  snapshots: Asked<ScreenSnapshot>;
  texts: Asked<ScreenText>;
}

/**
 * All screens of this process, in one thread of their own: a flood that is parsed there delays neither the events of any session nor a key. Started with
 * the first screen. It must not end before we do: a runner without it would show nothing, so its end is ours, and the next runner draws the
 * screens anew from what agentd still has.
 */
export function createScreens(): Screens {
  const remotes = new Map<number, Remote>();
  let worker: Worker | undefined;
  let closing = false;
  let lastId = 0;
  let lastAsk = 0;

  function start(): Worker {
    const started = new Worker(script, {
      name: 'screens',
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    started.unref();
    started.on('message', take);
    started.once('error', (error) => {
      throw new Error('the thread of the screens failed', { cause: error });
    });
    started.once('exit', (code) => {
      if (!closing) throw new Error(`the thread of the screens ended with ${String(code)}`);
    });
    return started;
  }
  function take(message: FromScreens): void {
    const remote = remotes.get(message.id);
    if (!remote) return;
    switch (message.op) {
      case 'parsed':
        remote.parsed = message.bytes;
        remote.onParsed();
        return;
      case 'reply':
        remote.onReply(message.bytes);
        return;
      case 'snapshot':
        remote.snapshots.get(message.ask)?.resolve(message.snapshot);
        remote.snapshots.delete(message.ask);
        return;
      case 'text':
        remote.texts.get(message.ask)?.resolve(message.shown);
        remote.texts.delete(message.ask);
        return;
      case 'failed':
        for (const asked of [remote.snapshots, remote.texts]) {
          asked.get(message.ask)?.reject(new Error(message.reason));
          asked.delete(message.ask);
        }
    }
  }
  const send = (message: ToScreens, moved: ArrayBuffer[] = []): void => {
    worker ??= start();
    worker.postMessage(message, moved);
  };

  function open(size: { cols: number; rows: number; scrollback: number }): Screen {
    const id = ++lastId;
    const remote: Remote = {
      parsed: 0,
      onParsed: () => undefined,
      onReply: () => undefined,
      snapshots: new Map(),
      texts: new Map(),
    };
    remotes.set(id, remote);
    send({ op: 'open', id, ...size });
    let unsent: Uint8Array[] = [];
    /** What was fed in one turn goes together, at its end: the viewers have it then, and only then the other thread wants a core. */
    function flush(): void {
      if (unsent.length === 0) return;
      const own = new Uint8Array(unsent.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const bytes of unsent) {
        own.set(bytes, at);
        at += bytes.length;
      }
      unsent = [];
      send({ op: 'feed', id, bytes: own }, [own.buffer]); // a copy that is moved: the bytes themselves are still the ring's
    }
    const ask = <T>(asked: Asked<T>, question: (ask: number) => ToScreens): Promise<T> =>
      new Promise((resolve, reject) => {
        if (!remotes.has(id)) {
          reject(new Error('this screen is gone'));
          return;
        }
        flush();
        const number = ++lastAsk;
        asked.set(number, { resolve, reject });
        send(question(number));
      });
    return {
      feed(bytes) {
        if (bytes.length === 0 || !remotes.has(id)) return;
        if (unsent.length === 0) setImmediate(flush);
        unsent.push(bytes);
      },
      resize(cols, rows) {
        if (!remotes.has(id)) return;
        flush();
        send({ op: 'resize', id, cols, rows });
      },
      snapshot: ({ scrollback }) =>
        ask(remote.snapshots, (number) => ({ op: 'snapshot', id, ask: number, scrollback })),
      text: () => ask(remote.texts, (number) => ({ op: 'text', id, ask: number })),
      get parsed() {
        return remote.parsed;
      },
      onParsed(callback) {
        remote.onParsed = callback;
      },
      onReply(callback) {
        remote.onReply = callback;
      },
      dispose() {
        if (!remotes.delete(id)) return;
        unsent = [];
        if (!closing) send({ op: 'close', id });
        for (const asked of [remote.snapshots, remote.texts])
          for (const { reject } of asked.values()) reject(new Error('this screen is gone'));
      },
    };
  }

  return {
    open,
    async [Symbol.asyncDispose]() {
      closing = true;
      await worker?.terminate();
    },
  };
}
