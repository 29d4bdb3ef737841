import {
  decodeTerminalFrame,
  encodeTerminalFrame,
  terminalWindowBytes,
  type TerminalFrame,
} from '@berth/contract';
import type { Process } from '../agentd/ports.ts';
import type { ExitView } from '../../agentd/protocol.ts';
import { limits } from '../limits.ts';
import type { Screen } from '../screen/index.ts';
import { oncePerTurn } from '../../agentd/once-per-turn.ts';
import { onlyReplies } from './replies.ts';
import { Ring } from './ring.ts';
import { signalNumber } from './exit.ts';

/** Where a viewer's frames go. `buffered`: bytes that its socket has not taken yet; `wake` is called when it has. */
export interface ViewerSocket {
  send(frame: Uint8Array, taken: () => void): void;
  buffered(): number;
  /** Everything was sent. */
  end(): void;
}
export interface Viewer {
  frame(bytes: Uint8Array): void;
  detach(): void;
}
export interface Terminal {
  readonly id: string;
  readonly kind: 'agent' | 'shell';
  readonly exit: ExitView | undefined;
  output(bytes: Buffer): void;
  exited(exit: ExitView): void;
  attach(socket: ViewerSocket, size: { cols: number; rows: number }, offset?: number): Viewer;
  screen(): Promise<{ cols: number; rows: number; offset: number; text: string }>;
  kill(): void;
  dispose(): void;
}

/** A resize stands in order with the bytes: at this offset the terminal got this size, for the screen and for every viewer. */
interface Mark {
  seq: number;
  offset: number;
  cols: number;
  rows: number;
}
interface Attached {
  socket: ViewerSocket;
  /** Next byte to send, and the last that was consumed. */
  next: number;
  acked: number;
  markSeq: number;
  drawing: boolean;
  ended: boolean;
  /** The program does not wait for it. */
  slow: boolean;
}

export function createTerminal(options: {
  id: string;
  kind: 'agent' | 'shell';
  process: Process;
  screen: Screen;
  cols: number;
  rows: number;
  /** Offset of the first byte that will come. */
  from: number;
  log: (fields: Record<string, unknown>, message: string) => void;
}): Terminal {
  const { id, kind, process, screen, from, log } = options;
  const ring = new Ring(limits.ringBytes, from);
  const viewers = new Set<Attached>();
  let marks: Mark[] = [{ seq: 0, offset: from, cols: options.cols, rows: options.rows }];
  let seq = 0;
  let exit: ExitView | undefined;
  /** Why the program's output waits. */
  const holds = new Set<'screen' | 'viewers'>();
  let viewersWait: NodeJS.Timeout | undefined;

  function hold(why: 'screen' | 'viewers', held: boolean): void {
    if (held) holds.add(why);
    else holds.delete(why);
    process.hold(holds.size > 0);
  }
  const unparsed = (): number => ring.to - from - screen.parsed;

  /** Bytes that the fastest viewer has not consumed; nobody to wait for: none. */
  function viewersLag(): number {
    let lag = Infinity;
    for (const viewer of viewers)
      if (!viewer.slow && !viewer.drawing && !viewer.ended)
        lag = Math.min(lag, ring.to - viewer.acked);
    return lag === Infinity ? 0 : lag;
  }
  /** The pace of a program is that of its fastest viewer, as at any terminal; but one that stops reading holds up nobody. */
  function pace(): void {
    const lag = viewersLag();
    if (lag <= limits.viewerLagLow) {
      clearTimeout(viewersWait);
      viewersWait = undefined;
      hold('viewers', false);
    } else if (lag > limits.viewerLagHigh && viewersWait === undefined) {
      hold('viewers', true);
      viewersWait = setTimeout(() => {
        viewersWait = undefined;
        for (const viewer of viewers)
          if (ring.to - viewer.acked > limits.viewerLagLow) viewer.slow = true;
        pace();
      }, limits.viewerWaitMs);
    }
  }

  const sizeAt = (offset: number): Mark =>
    marks.findLast((mark) => mark.offset <= offset) ??
    marks[0] ?? { seq, offset, cols: 80, rows: 24 };
  const send = (viewer: Attached, frame: TerminalFrame): void =>
    viewer.socket.send(encodeTerminalFrame(frame), () => pump(viewer));

  screen.onReply((bytes) => {
    if (!exit) process.write(bytes);
  });
  screen.onParsed(() => {
    if (unparsed() <= limits.unparsedLow) hold('screen', false);
  });

  function resize(cols: number, rows: number): void {
    const now = sizeAt(ring.to);
    if (exit || (now.cols === cols && now.rows === rows)) return;
    process.resize(cols, rows);
    screen.resize(cols, rows);
    marks.push({ seq: ++seq, offset: ring.to, cols, rows });
    // Those before the ring are needed only for the size at its start.
    const first = marks.findLastIndex((mark) => mark.offset <= ring.from);
    if (first > 0) marks = marks.slice(first);
    pumpAll();
  }
  const pumpAll = (): void => viewers.forEach(pump);
  const pumpOutput = oncePerTurn(pumpAll);

  function pump(viewer: Attached): void {
    while (viewers.has(viewer) && !viewer.drawing && !viewer.ended) {
      if (viewer.socket.buffered() > limits.viewerBufferBytes) return;
      const mark = marks.find((one) => one.seq > viewer.markSeq);
      if (viewer.next < ring.from) {
        // One that has not consumed what it was sent gets no screens on top of it.
        if (viewer.next - viewer.acked <= terminalWindowBytes / 2) draw(viewer);
        return;
      }
      if (mark && mark.offset <= viewer.next) {
        viewer.markSeq = mark.seq;
        send(viewer, { type: 'resize', cols: mark.cols, rows: mark.rows });
        continue;
      }
      const window = viewer.acked + terminalWindowBytes;
      const to = Math.min(mark?.offset ?? ring.to, window, viewer.next + limits.viewerChunk);
      const bytes = to > viewer.next ? ring.slice(viewer.next, to) : Buffer.alloc(0);
      if (bytes.length > 0) {
        const offset = viewer.next;
        viewer.next += bytes.length;
        send(viewer, { type: 'data', offset, bytes });
        continue;
      }
      if (exit && viewer.next === ring.to) {
        viewer.ended = true;
        send(viewer, { type: 'exit', exitCode: exit.code ?? 128 + signalNumber(exit.signal) });
        viewer.socket.end();
      }
      return;
    }
  }

  /** What it missed is no longer here: it gets the screen as it is now, then the bytes from there. */
  function draw(viewer: Attached): void {
    viewer.drawing = true;
    const offset = ring.to;
    const markSeq = seq;
    screen.snapshot({ scrollback: limits.screenScrollback }).then(
      ({ cols, rows, bytes }) => {
        viewer.drawing = false;
        viewer.next = viewer.acked = offset;
        viewer.markSeq = markSeq;
        if (!viewers.has(viewer)) return;
        send(viewer, { type: 'screen', offset, cols, rows, bytes });
        pump(viewer);
      },
      (error: unknown) => {
        log({ id, error: String(error) }, 'screen could not be drawn');
        viewers.delete(viewer);
        viewer.socket.end();
      },
    );
  }

  return {
    id,
    kind,
    get exit() {
      return exit;
    },
    output(bytes) {
      const own = Buffer.from(bytes); // the connection's buffer is used again
      ring.push(own);
      screen.feed(own);
      if (unparsed() > limits.unparsedHigh) hold('screen', true);
      pace();
      pumpOutput();
    },
    exited(how) {
      exit = how;
      pumpAll();
    },
    attach(socket, size, offset) {
      const start =
        offset !== undefined && offset >= ring.from && offset <= ring.to ? offset : null;
      const viewer: Attached = {
        socket,
        next: start ?? ring.from - 1,
        acked: start ?? ring.from,
        markSeq: start === null ? seq : sizeAt(start).seq,
        drawing: false,
        ended: false,
        slow: false,
      };
      viewers.add(viewer);
      const { cols, rows } = sizeAt(start ?? ring.to);
      send(viewer, { type: 'resize', cols, rows });
      pump(viewer);
      resize(size.cols, size.rows);
      return {
        frame(bytes) {
          const frame = decodeTerminalFrame(bytes, 'viewer');
          if (frame?.type === 'keys') {
            if (!exit && !onlyReplies(frame.bytes)) process.write(frame.bytes);
          } else if (frame?.type === 'ack') {
            viewer.acked = Math.min(Math.max(viewer.acked, frame.offset), viewer.next);
            if (ring.to - viewer.acked <= limits.viewerLagLow) viewer.slow = false;
            pace();
            pump(viewer);
          } else if (frame?.type === 'resize') {
            if (frame.cols > 0 && frame.rows > 0 && frame.cols <= 1000 && frame.rows <= 1000)
              resize(frame.cols, frame.rows);
          } else log({ id }, 'a viewer sent what is no frame');
        },
        detach() {
          viewers.delete(viewer);
          pace();
        },
      };
    },
    async screen() {
      const offset = ring.to;
      return { ...(await screen.text()), offset };
    },
    kill() {
      if (exit) return;
      process.kill('SIGHUP', true);
      setTimeout(() => {
        if (!exit) process.kill('SIGKILL', true);
      }, 1000).unref();
    },
    dispose() {
      clearTimeout(viewersWait);
      for (const viewer of viewers) viewer.socket.end();
      viewers.clear();
      screen.dispose();
    },
  };
}
