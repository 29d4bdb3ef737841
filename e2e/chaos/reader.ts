import type { Event } from '@berth/contract';
import { WebSocket } from 'ws';

/** One event as a viewer got it, with the bytes that its payload had. */
export interface Seen {
  readonly event: Event;
  readonly text: string;
  readonly atMs: number;
}
export interface Reader {
  readonly seen: readonly Seen[];
  /** What no viewer may ever get. */
  readonly faults: readonly string[];
  readonly lastSeq: number;
  /** The turn that the log says is under way. */
  readonly openTurn: string | null;
  /** Called for each event as it comes; returns the way to stop. */
  listen(listener: (seen: Seen) => void): () => void;
  close(): void;
}

const redialMs = 50;
/** The server sends a ping every 10 s: a longer silence means that nobody is there. */
const silenceMs = 25_000;

/** A viewer of one session that comes back after every cut with "after what I have", and believes nothing. */
export function openReader(options: {
  url: () => string;
  token: string;
  sessionId: string;
  now: () => number;
  told: (what: string) => void;
}): Reader {
  const { sessionId, now, told } = options;
  const seen: Seen[] = [];
  const faults: string[] = [];
  const listeners = new Set<(seen: Seen) => void>();
  let lastSeq = 0;
  let openTurn: string | null = null;
  let closed = false;
  let socket: WebSocket | undefined;
  let timer: NodeJS.Timeout | undefined;

  function take(event: Event): void {
    if (event.seq <= lastSeq)
      faults.push(`${String(event.seq)} came after ${String(lastSeq)}: ${event.kind}`);
    lastSeq = Math.max(lastSeq, event.seq);
    if (event.kind === 'turn.started') openTurn = event.payload.turnId;
    if (event.kind === 'turn.ended') openTurn = null;
    const one = { event, text: JSON.stringify(event), atMs: now() };
    seen.push(one);
    for (const listener of [...listeners]) listener(one);
  }

  function dial(): void {
    if (closed) return;
    const address = new URL('/api/v1/channels', options.url().replace(/^http/, 'ws'));
    const dialled = new WebSocket(address, 'berth.channels.v1', {
      headers: { authorization: `Bearer ${options.token}` },
      handshakeTimeout: 5000,
      perMessageDeflate: false,
    });
    socket = dialled;
    let silence: NodeJS.Timeout | undefined;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => dialled.terminate(), silenceMs);
    };
    const subscribe = (): void =>
      dialled.send(
        JSON.stringify({ op: 'subscribe', id: 1, channel: `session/${sessionId}`, after: lastSeq }),
      );
    let there = false;
    dialled.on('open', () => {
      there = true;
      heard();
      subscribe();
    });
    dialled.on('ping', heard);
    dialled.on('message', (data) => {
      heard();
      const frame = JSON.parse((data as Buffer).toString('utf8')) as {
        op: string;
        events?: Event[];
        problem?: { code: string; detail: string };
      };
      if (frame.op === 'events') frame.events?.forEach(take);
      else if (frame.op === 'resync') subscribe();
      else if (frame.op === 'problem') {
        told(`viewer refused: ${String(frame.problem?.code)} ${String(frame.problem?.detail)}`);
        dialled.terminate();
      }
    });
    dialled.on('error', () => undefined); // `close` follows
    dialled.on('close', (code) => {
      clearTimeout(silence);
      if (closed) return;
      if (there) told(`viewer cut off (${String(code)}) after ${String(lastSeq)}`);
      timer = setTimeout(dial, redialMs);
    });
  }
  dial();

  return {
    seen,
    faults,
    get lastSeq() {
      return lastSeq;
    },
    get openTurn() {
      return openTurn;
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      socket?.terminate();
    },
  };
}
