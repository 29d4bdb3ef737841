import type { TerminalFrame } from '@berth/contract';
import { decodeTerminalFrame, encodeTerminalFrame, terminalProtocol } from '@berth/contract';
import type { ConnectionState } from './connection.ts';
import type { DialOptions } from './redial.ts';
import { createRedial } from './redial.ts';
import type { Stop } from './subscriptions.ts';

/** Acknowledged in steps of this; far below the server's window, so that a viewer that keeps up is never held back. */
const ackStepBytes = 128 * 1024;
/** Keys that a stuck connection could not send: beyond this they are refused. */
const unsentBytesMax = 1024 * 1024;

export interface AttachOptions extends DialOptions {
  terminalId: string;
  size: { cols: number; rows: number };
  /** Goes on from here where the server still can; otherwise a `screen` comes first. */
  offset?: number | undefined;
}
export interface Screen {
  offset: number;
  cols: number;
  rows: number;
  bytes: Uint8Array;
}
/** Whatever a listener returns; a promise says when the bytes were consumed. */
type Consumed = unknown;

export interface Attachment {
  readonly state: ConnectionState;
  /** The next byte's number: what a later `attachTerminal` takes as its offset. */
  readonly offset: number | undefined;
  /** Output, each byte once and in order. A promise holds the acknowledgement back: the server then waits. `offset`: of the first byte. */
  onBytes(listener: (bytes: Uint8Array, offset: number) => Consumed): Stop;
  /** The terminal's size from here on in the order of the bytes; take it before what follows is written. */
  onResize(listener: (cols: number, rows: number) => void): Stop;
  /** Start over with an empty terminal of this size and draw it with these bytes; output goes on at `offset`. */
  onScreen(listener: (screen: Screen) => Consumed): Stop;
  /** What ran in it ended; the attachment does not come back. */
  onExit(listener: (exitCode: number) => void): Stop;
  /** Calls back at once, then with each change. */
  onState(listener: (state: ConnectionState) => void): Stop;
  /** False: not connected, the keys are dropped (keys typed blindly do harm later). */
  write(bytes: Uint8Array): boolean;
  resize(cols: number, rows: number): void;
  reconnectNow(): void;
  /** Detaches; the terminal lives on. */
  close(): void;
}

function listeners<A extends unknown[]>() {
  const all = new Set<(...args: A) => unknown>();
  return {
    add(listener: (...args: A) => unknown): Stop {
      all.add(listener);
      return () => {
        all.delete(listener);
      };
    },
    tell: (...args: A): unknown[] => [...all].map((listener) => listener(...args)),
  };
}

/** Joins a terminal, and joins it again by offset after a drop: a viewer sees every byte once, or is told to start over with a screen. */
export function attachTerminal(options: AttachOptions): Attachment {
  const { terminalId } = options;
  let size = options.size;
  let offset = options.offset;
  // Of the present socket: the server counts from its attach, so an acknowledgement of an older one would be wrong there.
  let acked = 0;
  let line = 0;
  const onBytes = listeners<[Uint8Array, number]>();
  const onResize = listeners<[number, number]>();
  const onScreen = listeners<[Screen]>();
  const onExit = listeners<[number]>();
  const onState = listeners<[ConnectionState]>();
  let consumed: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  /** Acknowledges in order, once everything before has been consumed as well. */
  function acknowledge(upTo: number, results: Consumed[]): void {
    const mine = line;
    const acknowledgeNow = () => {
      if (mine !== line || upTo - acked < ackStepBytes) return;
      acked = upTo;
      redial.send(encodeTerminalFrame({ type: 'ack', offset: upTo }));
    };
    const pending = results.filter((result) => result instanceof Promise);
    if (pending.length === 0 && waiting === 0) {
      acknowledgeNow();
      return;
    }
    waiting += 1;
    // A viewer that failed has consumed all that it ever will.
    consumed = Promise.allSettled([consumed, ...pending]).then(() => {
      waiting -= 1;
      acknowledgeNow();
    });
  }

  function take(frame: TerminalFrame): void {
    switch (frame.type) {
      case 'resize':
        onResize.tell(frame.cols, frame.rows);
        break;
      case 'screen':
        offset = frame.offset;
        acked = frame.offset;
        acknowledge(frame.offset, onScreen.tell(frame));
        break;
      case 'data': {
        const at = offset ?? frame.offset;
        if (frame.offset > at) {
          // Bytes are missing: attach again from what we have.
          redial.restart();
          return;
        }
        const bytes = frame.bytes.subarray(at - frame.offset);
        if (bytes.length === 0) return;
        offset = at + bytes.length;
        acknowledge(offset, onBytes.tell(bytes, at));
        break;
      }
      case 'exit':
        onExit.tell(frame.exitCode);
        redial.end('ended');
        break;
      case 'keys':
      case 'ack':
        break;
    }
  }

  const redial = createRedial(options, {
    protocol: terminalProtocol,
    path: () =>
      `/api/v1/terminals/${encodeURIComponent(terminalId)}/attach?cols=${size.cols}&rows=${size.rows}` +
      (offset === undefined ? '' : `&offset=${offset}`),
    ticketFor: { for: 'terminal', terminalId },
    opened() {
      line += 1;
      acked = offset ?? 0;
    },
    message(data) {
      const frame = typeof data === 'string' ? null : decodeTerminalFrame(data, 'server');
      if (frame !== null) take(frame);
    },
    lost: () => {
      line += 1;
    },
    state: (state) => {
      onState.tell(state);
    },
  });

  return {
    get state() {
      return redial.state;
    },
    get offset() {
      return offset;
    },
    onBytes: (listener) => onBytes.add(listener),
    onResize: (listener) => onResize.add(listener),
    onScreen: (listener) => onScreen.add(listener),
    onExit: (listener) => onExit.add(listener),
    onState(listener) {
      listener(redial.state);
      return onState.add(listener);
    },
    write(bytes) {
      if (redial.unsentBytes + bytes.length > unsentBytesMax) return false;
      return redial.send(encodeTerminalFrame({ type: 'keys', bytes }));
    },
    resize(cols, rows) {
      if (cols === size.cols && rows === size.rows) return;
      size = { cols, rows };
      redial.send(encodeTerminalFrame({ type: 'resize', cols, rows }));
    },
    reconnectNow: () => redial.reconnectNow(),
    close: () => redial.close(),
  };
}
