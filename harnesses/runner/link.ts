import {
  challengeHeader,
  controlFrame,
  linkProtocol,
  otherVersionClose,
  type ControlFrame,
  type RunnerFrame,
} from '@berth/contract/link';
import WebSocket from 'ws';
import * as z from 'zod/mini';
import { limits } from './limits.ts';

export interface LinkTarget {
  /** Of several, the one whose turn it is. */
  url: string;
  /** There are others: one that does not answer is not waited for long. */
  others: boolean;
  credential: string;
  runnerId: string;
}
export interface LinkEvents {
  /** `challenge`: what the answer to the dial said, for the hello to repeat. */
  hello(runnerId: string, challenge: string | undefined): RunnerFrame;
  frame(frame: ControlFrame): void;
  up(): void;
  down(): void;
}
/** The connection to the control plane: dialled again and again, with the address and credential of that moment. */
export interface Link {
  /** The welcome was heard. */
  readonly ready: boolean;
  /** Bytes that the socket has not taken. */
  readonly bufferedBytes: number;
  /** False: not connected, the frame is dropped; whoever asked asks again. `taken`: the socket took it. */
  send(frame: RunnerFrame, taken?: () => void): boolean;
  close(): void;
}

export const socketUrl = (url: string, path: string): string =>
  new URL(path, url.replace(/^http/, 'ws')).href;
export const bearer = (credential: string): Record<string, string> => ({
  authorization: `Bearer ${credential}`,
});

export function createLink(options: {
  /** Read anew before every dial; null: nobody to dial. `turn`: how many connections have ended. */
  target: (turn: number) => Promise<LinkTarget | null>;
  events: LinkEvents;
  log: (fields: Record<string, unknown>, message: string) => void;
}): Link {
  const { target, events } = options;
  let socket: WebSocket | null = null;
  let ready = false;
  let closed = false;
  let tries = 0;
  let turn = 0;
  let timer: NodeJS.Timeout | undefined;
  /** Said since the link was up last: a control plane that stays away is no news each time it is dialled. */
  const said = new Set<string>();
  function tell(fields: Record<string, unknown>, message: string): void {
    const key = JSON.stringify([message, fields]);
    if (said.has(key)) return;
    said.add(key);
    options.log(fields, message);
  }

  /** The control plane does not understand this runner: said once. It is replaced; until then it asks now and then. */
  let foreign = false;
  function tellForeign(): void {
    if (!foreign)
      options.log(
        { ours: linkProtocol },
        'the control plane speaks another version of the link: this runner waits to be replaced',
      );
    foreign = true;
  }
  function later(): void {
    if (closed) return;
    const most = foreign ? limits.dialForeignMs : redialMs(tries);
    tries++;
    timer = setTimeout(dial, most * (0.75 + Math.random() / 4)); // many runners must not come back in step
  }
  function dial(): void {
    target(turn).then(
      (to) => {
        if (closed) return;
        if (to === null) later();
        else open(to);
      },
      (error: unknown) => {
        tell({ error: String(error) }, 'link.json cannot be read');
        later();
      },
    );
  }

  function open(to: LinkTarget): void {
    const dialled = new WebSocket(socketUrl(to.url, '/api/v1/runner'), linkProtocol, {
      headers: bearer(to.credential),
      handshakeTimeout: to.others ? limits.dialOneOfManyMs : limits.dialOneMs,
      perMessageDeflate: false,
      maxPayload: 64 * 1024 * 1024,
    });
    socket = dialled;
    let silence: NodeJS.Timeout | undefined;
    let ping: NodeJS.Timeout | undefined;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => dialled.terminate(), limits.silenceMs);
    };
    let challenge: string | undefined;
    dialled.on('upgrade', ({ headers }) => {
      challenge = headers[challengeHeader]?.toString();
    });
    dialled.on('open', () => {
      heard();
      ping = setInterval(() => send({ op: 'ping' }), limits.pingMs);
      send(events.hello(to.runnerId, challenge));
    });
    dialled.on('ping', heard);
    dialled.on('message', (data, binary) => {
      heard();
      if (binary) return;
      const frame = parse(data as Buffer);
      if (frame === null) {
        tell({}, 'frame that is not of the link');
        return;
      }
      if (frame.op === 'welcome') {
        options.log({ dials: tries + 1 }, 'link up');
        said.clear();
        tries = 0;
        foreign = false;
        ready = true;
      }
      events.frame(frame);
      if (frame.op === 'welcome') events.up();
    });
    dialled.on('error', (error) => {
      // A control plane that knows no word of this version picks none of those that it was offered.
      if (/subprotocol/i.test(error.message)) tellForeign();
      else tell({ error: error.message }, 'link');
    });
    dialled.on('close', (code) => {
      if (code === otherVersionClose) tellForeign();
      clearTimeout(silence);
      clearInterval(ping);
      if (socket !== dialled) return;
      socket = null;
      const was = ready;
      ready = false;
      turn++;
      if (!foreign) tell({ code }, 'link closed');
      if (was) events.down();
      later();
    });
  }

  function send(frame: RunnerFrame, taken?: () => void): boolean {
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(frame), () => taken?.());
    return true;
  }
  dial();

  return {
    get ready() {
      return ready;
    },
    get bufferedBytes() {
      return socket?.bufferedAmount ?? 0;
    },
    send,
    close() {
      closed = true;
      clearTimeout(timer);
      socket?.close(1000);
      socket?.terminate();
    },
  };
}

/** Pure. How long to wait before the next dial, at the most. */
export function redialMs(tries: number): number {
  if (tries >= limits.dialPatience) return limits.dialOrphanMs;
  return Math.min(limits.dialMostMs, limits.dialFirstMs * 2 ** Math.min(tries, 10));
}

function parse(data: Buffer): ControlFrame | null {
  try {
    const parsed = z.safeParse(controlFrame, JSON.parse(data.toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
