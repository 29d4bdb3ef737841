import type { ChannelRequest } from '@berth/contract';
import type { Connect, SocketHandlers } from '../socket.ts';
import type { VirtualTime } from './virtual-time.ts';

export const sessionId = '0198c0de-0000-7000-8000-000000000001';
const channel = `session/${sessionId}`;

interface LogRow {
  seq: number;
  kind: string;
  supersedes?: { from: number; to: number };
}
interface Faults {
  /** Called for each choice, in [0, 1). */
  random(): number;
  duplicate: number;
  /** Of frames with live events: TCP never does this, a server with a fault may. */
  lose: number;
  delayMsMax: number;
}

/** A control plane's channel socket as API.md §4 describes it, with faults. */
export function simulatedServer(time: VirtualTime, faults: Faults) {
  const log: LogRow[] = [];
  const superseded = new Set<number>();
  const connections = new Set<Connection>();
  let healthy = false;

  class Connection {
    readonly #handlers: SocketHandlers;
    #lastAt = 0;
    subscription: { live: boolean } | null = null;
    open = true;

    constructor(handlers: SocketHandlers) {
      this.#handlers = handlers;
      this.#later(() => this.#handlers.open());
    }
    /** In order, each after a delay of its own. */
    #later(action: () => void): void {
      const at = Math.max(this.#lastAt, time.clock.now() + faults.random() * faults.delayMsMax);
      this.#lastAt = at;
      time.timers.after(at - time.clock.now(), () => {
        if (this.open) action();
      });
    }
    push(frame: unknown, liveEvents = false): void {
      if (!healthy && liveEvents && faults.random() < faults.lose) return;
      const text = JSON.stringify(frame);
      this.#later(() => this.#handlers.message(text));
      if (!healthy && faults.random() < faults.duplicate)
        this.#later(() => this.#handlers.message(text));
    }
    receive(request: ChannelRequest): void {
      if (request.op === 'ping') this.push({ op: 'pong' });
      else if (request.channel !== channel) return;
      else if (request.op === 'unsubscribe') {
        this.subscription = null;
        this.push({ op: 'unsubscribed', id: request.id, channel });
      } else {
        const visible = log.filter((row) => !superseded.has(row.seq));
        const rows =
          request.after !== undefined
            ? visible.filter((row) => row.seq > (request.after ?? 0))
            : visible.slice(visible.length - (request.tail ?? 0));
        const lastSeq = log.length;
        this.push({
          op: 'subscribed',
          id: request.id,
          channel,
          firstSeq: rows[0]?.seq ?? lastSeq,
          lastSeq,
        });
        for (let i = 0; i < rows.length; i += 3)
          this.push({ op: 'events', channel, events: rows.slice(i, i + 3).map(wire) });
        this.push({ op: 'live', channel, seq: lastSeq });
        this.subscription = { live: true };
      }
    }
    cut(code: number): void {
      if (!this.open) return;
      this.open = false;
      connections.delete(this);
      this.#handlers.close(code, '');
    }
    end(): void {
      this.open = false;
      connections.delete(this);
    }
  }

  const wire = (row: LogRow) => ({
    sessionId,
    seq: row.seq,
    at: '2026-11-22T10:00:00.000Z',
    kind: row.kind,
    payload:
      row.kind === 'message'
        ? { messageId: 'm', content: [], supersedes: row.supersedes }
        : row.kind === 'message.delta'
          ? { messageId: 'm', text: 'x' }
          : row.kind === 'from.the.future'
            ? { anything: 1 }
            : { code: 'note', text: String(row.seq) },
  });

  const connect: Connect = (_url, _protocols, _headers, handlers) => {
    const connection = new Connection(handlers);
    connections.add(connection);
    return {
      bufferedBytes: 0,
      send: (data) => {
        if (connection.open && typeof data === 'string')
          connection.receive(JSON.parse(data) as ChannelRequest);
      },
      close: () => connection.end(),
    };
  };

  return {
    connect,
    log,
    superseded,
    get connected() {
      return connections.size;
    },
    /** A message supersedes the run of deltas right before it. */
    append(kind: 'notice' | 'message.delta' | 'message' | 'from.the.future') {
      const seq = log.length + 1;
      const row: LogRow = { seq, kind };
      if (kind === 'message') {
        let from = seq;
        while (log[from - 2]?.kind === 'message.delta') from -= 1;
        if (from < seq) {
          row.supersedes = { from, to: seq - 1 };
          for (let old = from; old < seq; old += 1) superseded.add(old);
        }
      }
      log.push(row);
      for (const connection of connections) {
        if (connection.subscription?.live === true)
          connection.push({ op: 'events', channel, events: [wire(row)] }, true);
      }
    },
    cut(code: number) {
      for (const connection of [...connections]) connection.cut(code);
    },
    resync() {
      for (const connection of connections) {
        if (connection.subscription === null) continue;
        connection.subscription = null;
        connection.push({ op: 'resync', channel, seq: log.length });
      }
    },
    heal() {
      healthy = true;
    },
  };
}
