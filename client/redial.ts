import { Problem } from '@berth/contract';
import type { BerthClient } from './client.ts';
import type { Clock, Timers } from './clock.ts';
import { systemClock, systemTimers } from './clock.ts';
import type { ConnectionEvent, ConnectionState, Refusal } from './connection.ts';
import { limits, nextConnection } from './connection.ts';
import type { Connect, Socket } from './socket.ts';

export interface DialOptions {
  client: Pick<BerthClient, 'url' | 'token' | 'tickets'>;
  connect: Connect;
  /** For platforms whose sockets take no headers: a one-time ticket is fetched before each attempt. */
  tickets?: boolean | undefined;
  clock?: Clock | undefined;
  timers?: Timers | undefined;
  random?: (() => number) | undefined;
}
export interface Line {
  protocol: string;
  /** Path and query of the next attempt, below the server's root. */
  path(): string;
  ticketFor: Parameters<BerthClient['tickets']['create']>[0];
  opened(): void;
  message(data: string | Uint8Array): void;
  lost(): void;
  /** Something the server can answer, when nothing was heard for a while; absent: the protocol has no such thing. */
  ping?: () => string;
  state(state: ConnectionState): void;
}
export interface Redial {
  readonly state: ConnectionState;
  /** False: not connected, nothing was sent. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean;
  readonly unsentBytes: number;
  /** Gives this socket up and takes another, at once. */
  restart(): void;
  end(reason: Refusal): void;
  reconnectNow(): void;
  close(): void;
}

const givenUp = 4000;
const refusalOf: Partial<Record<string, Refusal>> = {
  'not-signed-in': 'auth',
  forbidden: 'forbidden',
  'not-found': 'not-found',
  'terminal-closed': 'ended',
};

/** The shell around `connection.ts`: opens sockets, watches that they live, tries again. One socket at a time; a stale one is never heard. */
export function createRedial(options: DialOptions, line: Line): Redial {
  const { client, connect } = options;
  const clock = options.clock ?? systemClock;
  const timers = options.timers ?? systemTimers;
  const random = options.random ?? Math.random;

  let state: ConnectionState = { kind: 'idle' };
  let socket: Socket | null = null;
  // Raised with every attempt: what an older socket or ticket still says is of no interest.
  let attempt = 0;
  let lastHeard = 0;
  let answersPings = line.ping !== undefined;
  let callOff = (): void => undefined;

  function apply(event: ConnectionEvent): void {
    const before = state;
    state = nextConnection(before, event);
    if (state === before) return;
    callOff();
    callOff = () => undefined;
    if (before.kind === 'connected' && state.kind !== 'connected') line.lost();
    if (state.kind === 'connecting') open();
    else if (state.kind === 'connected') watch();
    else if (state.kind === 'awaiting-retry')
      callOff = timers.after(state.delayMs, () => apply({ kind: 'retry-due' }));
    else drop();
    if (before.kind !== state.kind) line.state(state);
  }

  function drop(code?: number): void {
    attempt += 1;
    const old = socket;
    socket = null;
    old?.close(code);
  }

  function giveUp(): void {
    drop(givenUp);
    apply({ kind: 'closed', code: givenUp, random: random() });
  }

  function open(): void {
    drop();
    const mine = attempt;
    callOff = timers.after(limits.connectMs, () => {
      if (mine === attempt) giveUp();
    });
    if (options.tickets === true) {
      client.tickets.create(line.ticketFor).then(
        ({ ticket }) => {
          if (mine === attempt) dial(mine, ticket);
        },
        (error: unknown) => {
          if (mine !== attempt) return;
          const reason = error instanceof Problem ? refusalOf[error.code] : undefined;
          if (reason === undefined) apply({ kind: 'closed', code: 1006, random: random() });
          else apply({ kind: 'refused', reason });
        },
      );
    } else dial(mine, null);
  }

  function dial(mine: number, ticket: string | null): void {
    const path = line.path();
    const url = new URL(client.url + path);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    if (ticket !== null) url.searchParams.set('ticket', ticket);
    const token = ticket === null ? client.token() : undefined;
    const headers: Record<string, string> = {};
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const heard = () => {
      lastHeard = clock.now();
    };
    socket = connect(url.href, [line.protocol], headers, {
      open() {
        if (mine !== attempt) return;
        heard();
        apply({ kind: 'opened' });
        line.opened();
      },
      message(data) {
        if (mine !== attempt) return;
        heard();
        line.message(data);
      },
      alive() {
        if (mine !== attempt) return;
        heard();
        answersPings = true;
      },
      close(code) {
        if (mine !== attempt) return;
        drop();
        apply({ kind: 'closed', code, random: random() });
      },
    });
  }

  /** After a laptop slept, the first look finds the silence at once. */
  function watch(): void {
    callOff = timers.after(limits.pingMs / 2, () => {
      const silentMs = clock.now() - lastHeard;
      if (answersPings && silentMs >= limits.silenceMs) {
        giveUp();
        return;
      }
      if (silentMs >= limits.pingMs && line.ping !== undefined) socket?.send(line.ping());
      if (state.kind === 'connected' && state.attempt > 0) apply({ kind: 'steady' });
      else watch();
    });
  }

  // Whoever made this line first gets it into a variable; nothing calls back before that.
  queueMicrotask(() => apply({ kind: 'start' }));
  return {
    get state() {
      return state;
    },
    send(data) {
      if (state.kind !== 'connected' || socket === null) return false;
      socket.send(data);
      return true;
    },
    get unsentBytes() {
      return socket?.bufferedBytes ?? 0;
    },
    restart() {
      if (state.kind !== 'connected') return;
      drop(givenUp);
      apply({ kind: 'closed', code: givenUp, random: random() });
      apply({ kind: 'reconnect-now' });
    },
    end(reason) {
      const codes: Record<Refusal, number> = {
        auth: 4401,
        forbidden: 4403,
        'not-found': 4404,
        ended: 4410,
        protocol: 4409,
      };
      drop(1000);
      apply({ kind: 'closed', code: codes[reason], random: 0 });
    },
    reconnectNow() {
      if (state.kind === 'connected' && line.ping !== undefined) socket?.send(line.ping());
      apply({ kind: 'reconnect-now' });
    },
    close() {
      apply({ kind: 'dispose' });
      drop(1000);
    },
  };
}
