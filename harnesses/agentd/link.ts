import { connect, type Socket } from 'node:net';
import { AgentdFrameReader, encodeAgentdFrame } from './protocol.ts';

/** `refused`: the runner speaks another version. Another one may come in its place. */
const backoffMs = { first: 20, most: 200, refused: 2000 } as const;

export interface LinkEvents {
  frame(type: number, id: number, body: Buffer): void;
  /** There is room again. */
  writable(): void;
  up(): void;
  down(): void;
}
/** The connection to the runner: dialled again and again, because a new runner listens where the old one did. */
export interface Link {
  readonly up: boolean;
  /** No room: stop sending output until `writable`. */
  readonly full: boolean;
  send(type: number, id: number, body: Uint8Array): void;
  /** The other side broke the protocol. */
  drop(reason: string): void;
  /** Says a last word and goes; dials again much later. */
  refuse(reason: string, type: number, id: number, body: Uint8Array): void;
  /** While true, nothing more is read from the runner. */
  holdReading(hold: boolean): void;
  close(): void;
}

export function createLink(options: {
  path: string;
  events: LinkEvents;
  log: (line: string) => void;
}): Link {
  const { path, events, log } = options;
  let socket: Socket | undefined;
  let up = false;
  let tries = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let refused = false;

  const drop = (reason: string): void => {
    log(`link dropped: ${reason}`);
    socket?.destroy();
  };
  const dial = (): void => {
    const reader = new AgentdFrameReader();
    const dialled = connect(path);
    socket = dialled;
    dialled.once('connect', () => {
      up = true;
      tries = 0;
      events.up();
    });
    dialled.on('drain', () => events.writable());
    dialled.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk, (type, id, body) => {
          if (!dialled.destroyed) events.frame(type, id, body);
        });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        drop(error.message);
      }
    });
    dialled.on('error', () => undefined); // `close` follows and dials again
    dialled.once('close', () => {
      const was = up;
      up = false;
      if (was) events.down();
      if (closed) return;
      const waitMs = refused
        ? backoffMs.refused
        : Math.min(backoffMs.most, backoffMs.first * 2 ** tries);
      refused = false;
      tries = Math.min(tries + 1, 10);
      timer = setTimeout(dial, waitMs);
    });
  };
  dial();

  return {
    get up() {
      return up;
    },
    get full() {
      return socket?.writableNeedDrain ?? false;
    },
    send: (type, id, body) => {
      if (up) socket?.write(encodeAgentdFrame(type, id, body));
    },
    drop,
    refuse: (reason, type, id, body) => {
      log(`link refused: ${reason}`);
      refused = true;
      socket?.end(encodeAgentdFrame(type, id, body));
    },
    holdReading: (hold) => {
      if (hold) socket?.pause();
      else socket?.resume();
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
      socket?.destroy();
    },
  };
}
